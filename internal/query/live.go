package query

import (
	"context"
	"slices"

	"leat/internal/catalog"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

// reads is what a query reads, also through plain views.
type reads struct {
	// live are the relations that the engine serves.
	live []types.ObjectID
	// stored is set where it reads others, whose rows the store has.
	stored bool
}

// reads follows a verdict's relations down through plain views.
func (s *Service) reads(v *guard.Verdict) reads {
	// Hidden columns are the store's.
	out := reads{stored: v.Rewritten}
	snapshot := s.Catalog()
	seen := map[types.ObjectID]bool{}
	var visit func(id types.ObjectID)
	visit = func(id types.ObjectID) {
		if seen[id] {
			return
		}
		seen[id] = true
		o := snapshot.ByID(id)
		switch {
		case o == nil:
			out.stored = true // of leat_system, or dropped since
		case o.Kind == catalog.ViewKind && !o.Continuous():
			for _, below := range o.DependsOn {
				visit(below)
			}
		case s.Live != nil && s.Live.Serves(id):
			out.live = append(out.live, id)
		default:
			out.stored = true
		}
	}
	for _, r := range v.Relations {
		visit(r.ID)
	}
	return out
}

// wait returns once all that a query reads includes a position. A query of views alone doesn't wait for the store.
func (s *Service) wait(ctx context.Context, after types.Position, r reads) error {
	if len(after.Cursors) == 0 && after.Incarnation == 0 {
		return nil
	}
	if len(r.live) > 0 {
		if err := s.Live.Wait(ctx, after, r.live); err != nil || !r.stored {
			return err
		}
	}
	return s.Waiter.Wait(ctx, after)
}

// seen is up to where a query saw the log, at least: of each partition the least of those that it read it by.
func seen(loaded types.Position, stored bool, pinned []types.Position) types.Position {
	out := types.Position{Incarnation: loaded.Incarnation, Cursors: slices.Clone(loaded.Cursors)}
	read := map[types.PartitionID]bool{}
	for _, p := range pinned {
		for _, c := range p.Cursors {
			i := slices.IndexFunc(out.Cursors, func(o types.Cursor) bool { return o.Partition == c.Partition })
			switch {
			case i < 0:
				out.Cursors = append(out.Cursors, c)
			case read[c.Partition] || stored:
				out.Cursors[i].Next = min(out.Cursors[i].Next, c.Next)
			default:
				out.Cursors[i].Next = c.Next
			}
			read[c.Partition] = true
		}
	}
	return types.NewPosition(out.Incarnation, out.Cursors)
}
