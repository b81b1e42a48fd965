package pebblestate

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/state"
	"leat/internal/state/statetest"
)

// TestConformance runs the suite with all in memory, and with memory for a few leaves.
func TestConformance(t *testing.T) {
	for name, budget := range map[string]int64{"roomy": 0, "small": 256 << 10, "tiny": 1} {
		t.Run(name, func(t *testing.T) {
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
