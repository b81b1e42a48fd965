package catalog

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"leat/internal/types"
)

// TestMain looks for goroutines that are left. Pebble itself leaves one where its Open fails.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/cockroachdb/pebble/v2.(*ConcurrencyLimitScheduler).periodicGranter"))
}

var ctx = context.Background()

func open(t testing.TB, fs vfs.FS) *Catalog {
	t.Helper()
	c, err := Open("catalog", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func closed(t testing.TB, c *Catalog) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
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
	s, err := c.Update(ctx, f)
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
		_, err := c.Update(ctx, f)
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
	closed(t, c)
	c = open(t, fs)
	defer closed(t, c)
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

// TestClose checks that nothing waits for a catalog that is closed.
func TestClose(t *testing.T) {
	c := open(t, vfs.NewMem())
	update(t, c, func(tx *Tx) error { return tx.Put(stream(tx.NewID(), "a")) })
	started, finish, first, second := make(chan struct{}), make(chan struct{}), make(chan error), make(chan error)
	go func() {
		_, err := c.Update(ctx, func(tx *Tx) error {
			close(started)
			<-finish
			return tx.PutToken(&Token{ID: "late"})
		})
		first <- err
	}()
	<-started
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Update(canceled, nil); !types.HasCode(err, types.Canceled) {
		t.Fatalf("a canceled Update that waits: %v", err)
	}
	go func() {
		_, err := c.Update(ctx, nil)
		second <- err
	}()
	closed(t, c)
	if err := <-second; !types.HasCode(err, types.Unavailable) {
		t.Fatalf("an Update that waits while the catalog is closed: %v", err)
	}
	close(finish)
	if err := <-first; !types.HasCode(err, types.Unavailable) {
		t.Fatalf("an Update that the catalog did not wait for: %v", err)
	}
	if _, err := c.Update(ctx, nil); !types.HasCode(err, types.Unavailable) {
		t.Fatalf("Update after Close: %v", err)
	}
	if _, err := c.History(FirstUserID); !types.HasCode(err, types.Unavailable) {
		t.Fatalf("History after Close: %v", err)
	}
	if c.Snapshot().ByName("a") == nil || c.Snapshot().Token("late") != nil {
		t.Fatal("the snapshot after Close is another")
	}
	closed(t, c)
}

func TestMaxTransaction(t *testing.T) {
	c := open(t, vfs.NewMem())
	defer closed(t, c)
	_, err := c.Update(ctx, func(tx *Tx) error {
		return tx.PutToken(&Token{ID: "k", Name: strings.Repeat("x", MaxTransaction)})
	})
	if e := types.AsError(err); e == nil || e.Code != types.LimitExceeded || e.Hint == "" {
		t.Fatalf("got %v", err)
	}
	update(t, c, func(tx *Tx) error { return tx.PutToken(&Token{ID: "k"}) })
}

// FuzzDecode gives the decoder any bytes, as a record and as the body of a record with a right checksum.
func FuzzDecode(f *testing.F) {
	for _, o := range []*Object{stream(100, "orders"), view(101, "v", 100), {ID: 102, Kind: EndpointKind, Name: "e", Endpoint: &Endpoint{Query: "FROM v"}}} {
		good, err := encode(o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(good)
		f.Add(good[1 : len(good)-4])
	}
	f.Add([]byte{})
	f.Add([]byte(`{"id":1,"kind":"stream","name":"s","stream":{"schema":{"columns":[null]},"partitions":1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		framed := append([]byte{formatVersion}, b...)
		framed = binary.BigEndian.AppendUint32(framed, crc32.Checksum(framed, castagnoli))
		for _, record := range [][]byte{b, framed} {
			o, err := decodeObject(record)
			if err != nil {
				continue
			}
			again, err := encode(o)
			if err != nil {
				t.Fatalf("what was decoded does not encode: %v", err)
			}
			if o2, err := decodeObject(again); err != nil || o2.Name != o.Name || o2.ID != o.ID || o2.Kind != o.Kind {
				t.Fatalf("decoded %+v, encoded and decoded again %+v, %v", o, o2, err)
			}
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
