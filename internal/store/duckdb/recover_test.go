package duckdb

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leat/internal/duck"
	"leat/internal/store"
	"leat/internal/store/storetest"
	"leat/internal/types"
)

var relation7 = store.Relation{ID: 7, Name: "orders", Schema: storetest.Schema("id BIGINT")}

// loadOne loads one row at an offset; its value is the offset.
func loadOne(t testing.TB, s *Store, offset types.Offset) {
	t.Helper()
	e := storetest.Entry(offset, s.opts.Now(), storetest.Batch(relation7.Schema, []any{int(offset)}))
	if err := s.Load(t.Context(), []store.Load{storetest.Load(7, 0, e)}); err != nil {
		t.Fatal(err)
	}
}

// filled makes a store with checkpointed rows 0 to 4, rows 5 to 7 in the WAL and 8 and 9 in the tail, and returns a copy of its files.
func filled(t *testing.T) string {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir, SealAfter: 1})
	if err := s.Define(t.Context(), []store.Relation{relation7}); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		loadOne(t, s, types.Offset(i))
		if i == 4 {
			if err := s.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !s.Durable().Covers(s.Loaded()) {
				t.Fatalf("durable %v after a checkpoint, loaded %v", s.Durable(), s.Loaded())
			}
		}
		if i == 7 {
			sealWithoutCheckpoint(t, s)
		}
	}
	if s.Durable().Covers(s.Loaded()) {
		t.Fatal("rows in the WAL count as durable")
	}
	return copyFiles(t, dir)
}

// sealWithoutCheckpoint leaves what is in the tail in the file's WAL.
func sealWithoutCheckpoint(t *testing.T, s *Store) {
	t.Helper()
	unlock, err := s.lock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	s.turn()
	if err := s.move(t.Context(), s.sealing); err != nil {
		t.Fatal(err)
	}
	s.sealing, s.unsaved = nil, s.sealing.position
}

// consistent checks that rows and offsets agree and that loading the rest makes the store whole.
func consistent(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Define(t.Context(), []store.Relation{relation7}); err != nil {
		t.Fatal(err)
	}
	next := nextOffset(s)
	if got := storetest.Query(t, s, "SELECT count(*), count(DISTINCT id) FROM orders"); got != fmt.Sprintf("%d|%d", next, next) {
		t.Fatalf("%s rows, next offset %d", got, next)
	}
	for ; next < 10; next++ {
		loadOne(t, s, next)
	}
	if got := storetest.Query(t, s, "SELECT count(*), count(DISTINCT id), max(id) FROM orders"); got != "10|10|9" {
		t.Fatalf("got %s", got)
	}
}

func TestTornAndDamagedWAL(t *testing.T) {
	dir := filled(t)
	wal, err := os.ReadFile(filepath.Join(dir, fileName+".wal"))
	if err != nil {
		t.Fatal(err)
	}
	for cut := 1; cut < len(wal); cut += max(len(wal)/12, 1) {
		damaged := append([]byte(nil), wal...)
		damaged[cut] ^= 0xff
		for name, bytes := range map[string][]byte{"torn": wal[:cut], "damaged": damaged, "zeroes": append(wal[:cut:cut], make([]byte, len(wal)-cut)...)} {
			to := copyFiles(t, dir)
			if err := os.WriteFile(filepath.Join(to, fileName+".wal"), bytes, 0o600); err != nil {
				t.Fatal(err)
			}
			// The log was trimmed: only what is below Durable may be asked of the file.
			s, err := Open(Options{Dir: to, Incarnation: 1})
			if err != nil {
				t.Fatalf("%s at %d of %d: %v", name, cut, len(wal), err)
			}
			if next := s.Loaded().Cursors[0].Next; next < 5 {
				t.Errorf("%s at %d: loaded %d, below the checkpoint", name, cut, next)
			}
			consistent(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestDamagedFile(t *testing.T) {
	dir := filled(t)
	path := filepath.Join(dir, fileName)
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir, Incarnation: 1}); !types.HasCode(err, types.Corrupt) || types.AsError(err).Hint == "" {
		t.Fatalf("with a trimmed log: %v", err)
	}
	s := open(t, Options{Dir: dir, LogComplete: true})
	if s.Recovered == "" || len(s.Loaded().Cursors) != 0 {
		t.Fatalf("recovered %q, loaded %v", s.Recovered, s.Loaded())
	}
	consistent(t, s)
	if aside, err := filepath.Glob(path + ".damaged-*"); err != nil || len(aside) != 1 {
		t.Errorf("set aside: %v, %v", aside, err)
	}
}

func TestForeignLog(t *testing.T) {
	dir := filled(t)
	if _, err := Open(Options{Dir: dir, Incarnation: 2}); !types.HasCode(err, types.Corrupt) {
		t.Fatalf("with a trimmed log: %v", err)
	}
	s, err := Open(Options{Dir: dir, Incarnation: 2, LogComplete: true})
	if err != nil {
		t.Fatal(err)
	}
	consistent(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpensAgainAfterAFatalError(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	if err := s.Define(t.Context(), []store.Relation{relation7}); err != nil {
		t.Fatal(err)
	}
	one := func() ([][]any, error) { return [][]any{{"x", 1}, {nil, nil}}, nil }
	columns := []types.Column{{Name: "name", Type: types.Of(types.Varchar)}, {Name: "rows", Type: types.Of(types.BigInt)}}
	if err := s.DefineSystem("streams", columns, one); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if i%3 == 0 {
			if err := s.note(types.Errorf(types.Unavailable, "%w", &duck.FatalError{Message: "made up"})); err == nil {
				t.Fatal("note lost the error")
			}
		}
		if i%2 == 0 {
			if got := storetest.Query(t, s, "SELECT * FROM leat_system.streams ORDER BY name"); got != "x|1\n(null)|(null)" {
				t.Fatalf("got %q", got)
			}
		}
		if lost := i%3 == 0; lost {
			if err := s.Load(t.Context(), nil); !types.HasCode(err, types.Unavailable) {
				t.Fatalf("the first load after the tail was lost: %v", err)
			}
		}
		for next := nextOffset(s); next <= types.Offset(i); next++ {
			loadOne(t, s, next)
		}
		if i%4 == 0 {
			sealWithoutCheckpoint(t, s)
		}
	}
	consistent(t, s)
}

// nextOffset is where loading goes on.
func nextOffset(s *Store) (next types.Offset) {
	for _, c := range s.Loaded().Cursors {
		next = c.Next
	}
	return next
}

func TestErrorsHideInternalNames(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	if err := s.Define(t.Context(), []store.Relation{relation7}); err != nil {
		t.Fatal(err)
	}
	loadOne(t, s, 1)
	for _, sql := range []string{"SELECT (id || 'x')::INT FROM orders", "SELECT id::VARCHAR::DATE FROM orders", "SELECT * FROM s_6", "SELECT c2 FROM orders", "SELECT * FROM order", "SELECT * FROM offsets", "SELECT * FROM ordersleat"} {
		rows, err := s.Query(t.Context(), store.Query{SQL: sql})
		if err == nil {
			_, err = rows.Next(t.Context())
			rows.Close()
		}
		e := types.AsError(err)
		if e == nil {
			t.Errorf("%s passed", sql)
		} else if text := e.Message + e.Hint; strings.Contains(text, "leat.") || strings.Contains(text, "s_7") || strings.Contains(text, "$leat") || strings.Contains(text, "c1") {
			t.Errorf("%s: %s", sql, text)
		}
	}
}

// TestWALOfACheckpointIsNotReplayed opens a checkpointed file beside the WAL from before the checkpoint, as a kill between the two leaves them.
func TestWALOfACheckpointIsNotReplayed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	if err := s.Define(t.Context(), []store.Relation{relation7}); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		loadOne(t, s, types.Offset(i))
	}
	sealWithoutCheckpoint(t, s)
	before := copyFiles(t, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	after := copyFiles(t, dir)
	for _, suffix := range walSuffixes {
		wal, err := os.ReadFile(filepath.Join(before, fileName+".wal"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(after, fileName+suffix), wal, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, Options{Dir: after})
	if next := nextOffset(again); next != 4 || !again.Durable().Covers(again.Loaded()) {
		t.Errorf("loaded %d of 4, durable %v", next, again.Durable())
	}
	consistent(t, again)
}
