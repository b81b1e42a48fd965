package pipeline

import (
	"context"

	"leat/internal/sql/plan"
	"leat/internal/store"
	"leat/internal/types"
)

// trim keeps what the log has in past and trims it away up to a random entry.
func (w *world) trim() {
	w.Helper()
	trimmed := types.Offset(0)
	for _, rel := range []*plan.Relation{streamA, streamB, tableT} {
		for i := range rel.Partitions {
			id := types.PartitionID{Stream: rel.ID, Index: i}
			b, err := w.log.Bounds(id)
			if err != nil {
				w.Fatal(err)
			}
			rows := w.all(id, b.End)
			if err := w.log.Trim(background, id, b.Start+(b.End-b.Start)*2/3); err != nil {
				w.Fatal(err)
			}
			if b, err = w.log.Bounds(id); err != nil {
				w.Fatal(err)
			}
			trimmed += b.Start
			for n, r := range rows {
				if r.offset >= b.Start {
					rows = rows[:n]
					break
				}
			}
			w.past[id] = rows
		}
	}
	if trimmed == 0 {
		w.Fatal("nothing was trimmed")
	}
}

// fakeHistory has the rows that were trimmed.
type fakeHistory struct{ w *world }

func (h *fakeHistory) History(_ context.Context, p types.PartitionID, from, below types.Offset, most int) (*store.Stretch, error) {
	s := &store.Stretch{Next: below}
	var out []row
	for _, r := range h.w.past[p] {
		if r.offset < from || r.offset >= below {
			continue
		}
		if len(out) >= min(most, 7) {
			s.Next = r.offset
			break
		}
		out = append(out, r)
		s.Offsets, s.At, s.Watermarks = append(s.Offsets, int64(r.offset)), append(s.At, start), append(s.Watermarks, r.wm)
	}
	if len(out) > 0 {
		rel := map[types.ObjectID]*plan.Relation{1: streamA, 2: streamB, 3: tableT}[p.Stream]
		s.Batch = batchOf(rel.Schema, rel.Kind == plan.TableRelation, out)
	}
	return s, nil
}
