package duckdb

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/types"
)

// liveFunction is the table function that gives the rows of a live relation.
func liveFunction(id types.ObjectID) string { return fmt.Sprintf("leat_live_%d", id) }

// registerLive makes the table function of a live relation; it asks Options.Live for the rows whenever a query begins to read it.
func (s *Store) registerLive(r *relation) error {
	if r.Live == nil {
		return nil
	}
	id := r.ID
	return s.db.DefineTable(liveFunction(id), r.Live.Columns, func() (arrow.RecordBatch, error) {
		if s.opts.Live == nil {
			return nil, types.Errorf(types.Unavailable, "nobody serves the rows of relation %d", id)
		}
		return s.opts.Live(id)
	})
}
