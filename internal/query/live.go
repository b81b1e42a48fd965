package query

import (
	"slices"

	"leat/internal/catalog"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

// reads is what a query reads, also through plain views.
type reads struct {
	// live are the relations that the engine serves, stored the streams and tables whose rows the store has.
	live, stored []types.ObjectID
	// stampable is set where the answer depends on nothing else.
	stampable bool
	// basis are the definitions of all that is read, which are other objects when they change.
	basis []*catalog.Object
}

// same reports whether two texts of the same words read the same.
func (r reads) same(o reads) bool {
	return slices.Equal(r.basis, o.basis) && slices.Equal(r.live, o.live) && slices.Equal(r.stored, o.stored) && r.stampable == o.stampable
}

// reads follows a verdict's relations down through plain views.
func (s *Service) reads(snapshot *catalog.Snapshot, v *guard.Verdict) reads {
	out := reads{stampable: !v.Volatile}
	seen := map[types.ObjectID]bool{}
	var visit func(id types.ObjectID)
	visit = func(id types.ObjectID) {
		if seen[id] {
			return
		}
		seen[id] = true
		o := snapshot.ByID(id)
		out.basis = append(out.basis, o)
		switch {
		case id == catalog.DeadLetters:
			out.stored, out.stampable = append(out.stored, id), false // with a time to live
		case o == nil:
			out.stampable = false // of leat_system, or dropped since
		case o.Kind == catalog.ViewKind && !o.Continuous():
			for _, below := range o.DependsOn {
				visit(below)
			}
		case s.Live != nil && s.Live.Serves(id):
			out.live = append(out.live, id)
			if v.Wide && o.Stream != nil {
				out.stored = append(out.stored, id) // hidden columns are the store's
			}
		default:
			out.stored = append(out.stored, id)
			// No change of the log tells of rows whose time is over.
			out.stampable = out.stampable && (o.Stream == nil || o.Stream.TTL == 0)
		}
	}
	for _, r := range v.Relations {
		visit(r.ID)
	}
	slices.Sort(out.live)
	slices.Sort(out.stored)
	return out
}
