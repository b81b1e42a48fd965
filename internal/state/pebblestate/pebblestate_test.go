package pebblestate

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/state"
	"leat/internal/state/statetest"
)

// TestConformance runs the suite with all in memory, and with memory for a few leaves.
func TestConformance(t *testing.T) {
	for name, budget := range map[string]int64{"roomy": 0, "small": 1 << 20, "tiny": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			statetest.Run(t, func(t *testing.T) func() state.Store {
				fs := vfs.NewMem()
				return func() state.Store {
					s, err := Open("state", Options{FS: fs, Budget: budget, Cache: 1 << 20})
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
	for _, budget := range []int64{1, 1 << 20} {
		fs := vfs.NewMem()
		s, err := Open("temporary", Options{FS: fs, Budget: budget, Volatile: true, Cache: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fs.Stat("temporary"); err == nil {
			t.Error("a volatile store touched the disk before it had to")
		}
		statetest.Stress(t, s, 20_000)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := fs.Stat("temporary"); err == nil {
			t.Error("a volatile store left its folder")
		}
	}
}
