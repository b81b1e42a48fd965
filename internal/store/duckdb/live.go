package duckdb

import (
	"fmt"

	"leat/internal/duck"
	"leat/internal/store"
	"leat/internal/types"
)

// liveFunction is the table function that gives the rows of a live relation.
func liveFunction(id types.ObjectID) string { return fmt.Sprintf("leat_live_%d", id) }

// registerLive makes the table function of a live relation. A query that reads it asks its own store.Live for the rows, else Options.Live.
func (s *Store) registerLive(r *relation) error {
	if r.Live == nil {
		return nil
	}
	id := r.ID
	return s.db.DefineSource(liveFunction(id), r.Live.Columns, func(pin any, columns []int) (duck.TableRows, error) {
		live, ok := pin.(store.Live)
		if !ok {
			live = s.opts.Live
		}
		if live == nil {
			return nil, types.Errorf(types.Unavailable, "nobody serves the rows of relation %d", id)
		}
		return live.Open(id, columns)
	})
}
