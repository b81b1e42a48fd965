package catalog

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"leat/internal/types"
)

func open(t testing.TB, fs vfs.FS) *Catalog {
	t.Helper()
	c, err := Open("catalog", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func stream(id types.ObjectID, name string) *Object {
	s := &types.Schema{Version: 1}
	s.Add("a", types.Of(types.BigInt), "a")
	return &Object{ID: id, Kind: StreamKind, Name: name, Stream: &Stream{Schema: s, Partitions: 1}}
}

func view(id types.ObjectID, name string, on ...types.ObjectID) *Object {
	return &Object{ID: id, Kind: ViewKind, Name: name, View: &View{Query: "FROM x"}, DependsOn: on}
}

func update(t testing.TB, c *Catalog, f func(*Tx) error) *Snapshot {
	t.Helper()
	s, err := c.Update(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestUpdate(t *testing.T) {
	fs := vfs.NewMem()
	c := open(t, fs)
	var a, v types.ObjectID
	update(t, c, func(tx *Tx) error {
		a, v = tx.NewID(), tx.NewID()
		return errors.Join(tx.Put(stream(a, "a")), tx.Put(view(v, "v", a)), tx.PutToken(&Token{ID: "k"}))
	})
	if a != FirstUserID || c.Snapshot().ByName("v").Version != 1 {
		t.Fatalf("first ID %d, v %+v", a, c.Snapshot().ByName("v"))
	}
	refused := func(code types.Code, names string, f func(*Tx) error) {
		t.Helper()
		_, err := c.Update(context.Background(), f)
		if !types.HasCode(err, code) || !strings.Contains(err.Error(), names) {
			t.Errorf("got %v, want %s with %s", err, code, names)
		}
	}
	refused(types.DependentObjects, `view "v"`, func(tx *Tx) error { return tx.Delete(a) })
	refused(types.AlreadyExists, `view "v"`, func(tx *Tx) error { return tx.Put(stream(tx.NewID(), "v")) })
	refused(types.Internal, "NewID", func(tx *Tx) error { return tx.Put(stream(4000, "z")) })
	refused(types.InvalidArgument, "cannot become", func(tx *Tx) error { return tx.Put(view(a, "a")) })
	refused(types.NotFound, "4000", func(tx *Tx) error { return tx.Delete(4000) })
	for range History + 5 {
		update(t, c, func(tx *Tx) error { return tx.Put(stream(a, "renamed")) })
	}
	if h, err := c.History(a); err != nil || len(h) != History || h[0].Version != History+6 {
		t.Fatalf("history of %d, %v", len(h), err)
	}
	update(t, c, func(tx *Tx) error { return errors.Join(tx.Delete(a), tx.Delete(v), tx.DeleteToken("k")) })
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, fs)
	defer c.Close()
	if s := c.Snapshot(); len(s.All()) != 0 || len(s.Tokens()) != 0 || s.Version() != History+7 {
		t.Fatalf("after reopening: %v at version %d", s.All(), s.Version())
	}
	update(t, c, func(tx *Tx) error {
		if id := tx.NewID(); id <= v {
			t.Errorf("ID %d was given twice", id)
		}
		return tx.PutToken(&Token{ID: "x"})
	})
	refused(types.Internal, "dropped", func(tx *Tx) error { return tx.Put(stream(a, "back")) })
}

// TestCrash checks that what Update acknowledged survives a crash, whatever of the unsynced bytes is lost, and halves never exist.
func TestCrash(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fs := vfs.NewCrashableMem()
		c := open(t, fs)
		n := rapid.IntRange(1, 8).Draw(rt, "transactions")
		for range n {
			update(t, c, func(tx *Tx) error {
				a, b := tx.NewID(), tx.NewID()
				return errors.Join(tx.Put(stream(a, "s_"+string(rune('a'+a%26)))), tx.Put(view(b, "v_"+string(rune('a'+b%26)), a)))
			})
		}
		seed := rapid.Uint64().Draw(rt, "seed")
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rapid.IntRange(0, 100).Draw(rt, "kept"), RNG: rand.New(rand.NewPCG(seed, 1))})
		if err := c.Close(); err != nil {
			rt.Fatal(err)
		}
		c = open(t, crashed)
		defer c.Close()
		if got := len(c.Snapshot().All()); got != 2*n || c.Snapshot().Version() != uint64(n) {
			rt.Fatalf("%d objects at version %d after %d transactions", got, c.Snapshot().Version(), n)
		}
	})
}

func TestDamagedRecord(t *testing.T) {
	fs := vfs.NewMem()
	c := open(t, fs)
	update(t, c, func(tx *Tx) error { return tx.Put(stream(tx.NewID(), "orders")) })
	if err := c.db.Set(objectKey(FirstUserID), []byte("\x01{}xxxx"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open("catalog", Options{FS: fs})
	if e := types.AsError(err); e == nil || e.Code != types.Corrupt || !strings.Contains(e.Message, `stream "orders"`) || e.Hint == "" {
		t.Fatalf("got %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "catalog")
	c, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := Open(dir, Options{}); !types.HasCode(err, types.Locked) {
		t.Errorf("locked: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, Options{}); !types.HasCode(err, types.InvalidArgument) {
		t.Errorf("file: %v", err)
	}
	if _, err := Open(filepath.Join(file, "x"), Options{}); !types.HasCode(err, types.InvalidArgument) {
		t.Errorf("under a file: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	good, err := encode(stream(100, "orders"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := decodeObject(b); err == nil && check(o) != nil {
			t.Fatal("an incomplete object was accepted")
		}
	})
}

// TestSample reads the checked-in record of format version 1.
func TestSample(t *testing.T) {
	b, err := os.ReadFile("testdata/v1.record")
	if err != nil {
		t.Fatal(err)
	}
	if o, err := decodeObject(b); err != nil || o.Name != "orders" || o.Stream.Schema.Columns[0].Type.Kind != types.BigInt {
		t.Fatalf("%+v, %v", o, err)
	}
}
