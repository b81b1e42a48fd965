package pipeline

import (
	"context"

	"leat/internal/bus"
	"leat/internal/engine/zset"
	"leat/internal/store"
	"leat/internal/types"
)

// History reads what the log no longer holds; the store has it.
type History interface {
	// History returns rows of a partition from an offset on and below another, in offset order, about so many; Next of the stretch is the
	// offset to go on at, which is below where there are no more.
	History(ctx context.Context, p types.PartitionID, from, below types.Offset, rows int) (*store.Stretch, error)
}

// takeHistory reads about so many rows that were trimmed from the log.
func (r *reader) takeHistory(ctx context.Context, p *partition, below types.Offset, rows int, batches [][]*zset.Batch) error {
	h, err := r.history.History(ctx, p.id, p.next, below, rows)
	if err != nil {
		return err
	}
	if h.Next <= p.next {
		return types.Errorf(types.Internal, "BUG: the history of partition %s does not go on at offset %d", p.id, p.next)
	}
	first := h.Next
	if h.Batch != nil && h.Batch.Rows > 0 {
		first = types.Offset(h.Offsets[0])
		if err := r.historyRows(p, h, batches); err != nil {
			return err
		}
		p.watermark = max(p.watermark, h.Watermarks[h.Batch.Rows-1])
	}
	if p.next == p.origin {
		p.origin = first // nothing was seen before
	}
	p.next = h.Next
	return nil
}

func (r *reader) historyRows(p *partition, h *store.Stretch, batches [][]*zset.Batch) error {
	s := stamps{partition: p.id.Index, rows: h.Batch.Rows, offsets: h.Offsets}
	for i := range h.Batch.Rows {
		run := bus.Run{Rows: 1, At: h.At[i], Watermark: h.Watermarks[i]}
		if n := len(s.runs); n > 0 && s.runs[n-1].At == run.At && s.runs[n-1].Watermark == run.Watermark {
			s.runs[n-1].Rows++
			continue
		}
		s.runs = append(s.runs, run)
	}
	for _, i := range p.sources {
		z, err := r.binder.batch(h.Batch, r.sources[i], &s)
		if err != nil {
			return err
		}
		batches[i] = append(batches[i], z)
	}
	return nil
}
