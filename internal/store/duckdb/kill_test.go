package duckdb

import (
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"testing"
	"time"

	"leat/internal/store"
	"leat/internal/store/storetest"
)

const killDir = "LEAT_TEST_KILL_DIR"

var killed = store.Relation{ID: 7, Name: "bid", Schema: bidSchema()}

// TestKill kills a process that loads and seals, again and again on the same files: rows and offsets always agree.
func TestKill(t *testing.T) {
	if dir := os.Getenv(killDir); dir != "" {
		loadUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	for round := range 5 {
		c := osexec.Command(os.Args[0], "-test.run", "^TestKill$")
		c.Env = append(os.Environ(), killDir+"="+dir)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(800*time.Millisecond + rand.N(400*time.Millisecond))
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		s, err := Open(Options{Dir: dir, Incarnation: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Define(t.Context(), []store.Relation{killed}); err != nil {
			t.Fatal(err)
		}
		next := nextOffset(s)
		if got := storetest.Query(t, s, `SELECT count(*), count(DISTINCT _leat_offset) FROM "bid$leat"`); got != fmt.Sprintf("%d|%d", next, next) {
			t.Errorf("round %d: %s rows, next offset %d", round, got, next)
		}
		if rows, err := s.strings(t.Context(), s.keeper, "SELECT count(*), count(DISTINCT stream) FROM leat.offsets"); err != nil || rows[0][0] != rows[0][1] {
			t.Errorf("round %d: offsets %v, %v", round, rows, err)
		}
		s.disconnect()
	}
}

func loadUntilKilled(t *testing.T, dir string) {
	s, err := Open(Options{Dir: dir, Incarnation: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Define(t.Context(), []store.Relation{killed}); err != nil {
		t.Fatal(err)
	}
	const n = 130_000
	batch := bids(killed.Schema, n)
	for first := nextOffset(s); ; first += n {
		if err := s.Load(t.Context(), []store.Load{storetest.Load(7, 0, storetest.Entry(first, time.Now(), batch))}); err != nil {
			t.Fatal(err)
		}
		if err := s.seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
