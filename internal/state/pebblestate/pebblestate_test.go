package pebblestate

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/state"
	"leat/internal/state/statetest"
)

// TestConformance runs the suite with all in memory, and with memory for a few leaves.
func TestConformance(t *testing.T) {
	for name, o := range map[string]Options{
		"roomy": {}, "small": {Budget: 1 << 20}, "tiny": {Budget: 1}, "runs": {Budget: 1, runAt: 1}, "mixed": {Budget: 1, runAt: 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			statetest.Run(t, func(t *testing.T) func() state.Store {
				o := o
				o.FS, o.Cache = vfs.NewMem(), 1<<20
				return func() state.Store {
					s, err := Open("state", o)
					if err != nil {
						t.Fatal(err)
					}
					return s
				}
			})
		})
	}
}

// TestVolatile runs much through a store without commits that has to use its disk.
func TestVolatile(t *testing.T) {
	for _, o := range []Options{{Budget: 1}, {Budget: 1 << 20}, {Budget: 1, runAt: 1}, {Budget: 1, runAt: 20_000}} {
		fs := vfs.NewMem()
		o.FS, o.Volatile, o.Cache = fs, true, 1<<20
		s, err := Open("temporary", o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fs.Stat("temporary"); err == nil {
			t.Error("a volatile store touched the disk before it had to")
		}
		statetest.Stress(t, s, 20_000)
		for id, tab := range s.tables {
			var memory int64
			leaves, partial := 0, 0
			tab.root.each(func(l *leaf) {
				memory += l.memory()
				leaves++
				if !l.complete {
					partial++
				}
			})
			if memory != tab.memory || leaves != tab.leaves || partial != tab.partial {
				t.Errorf("table %d counts %d bytes, %d leaves, %d partial; there are %d, %d, %d", id, tab.memory, tab.leaves, tab.partial, memory, leaves, partial)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := fs.Stat("temporary"); err == nil {
			t.Error("a volatile store left its folder")
		}
	}
}
