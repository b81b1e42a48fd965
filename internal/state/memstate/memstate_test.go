package memstate_test

import (
	"testing"

	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/state/statetest"
)

func TestConformance(t *testing.T) {
	statetest.Run(t, func(*testing.T) func() state.Store {
		s := memstate.New()
		return func() state.Store {
			s = s.Reopen()
			return s
		}
	})
}
