package pipeline

import (
	"context"
	"slices"

	"leat/internal/bus"
	"leat/internal/engine/circuit"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// stepRows is about how many rows a step takes, and readBytes how much of the log is decoded at once for that. More waits in the log, where it is.
const (
	stepRows  = 64 << 10
	readBytes = 4 << 20
)

// reader follows the partitions that a circuit's sources read and makes steps of what has arrived.
type reader struct {
	tail    *tail
	log     bus.Log
	history History
	sources []circuit.Source
	// watermarks are the sources' as last told: a partition that is new must not take one back.
	watermarks []int64
	binder     *binder
	parts      []*partition
	clock      *partition
	// now is the clock's time in µs; ticks says that the circuit asks for it.
	now   int64
	ticks bool
	// skipped counts damaged or missing stretches of the log that were passed over.
	skipped int64
}

// partition is the place in one partition.
type partition struct {
	id   types.PartitionID
	next types.Offset
	// origin is the first offset that the views have seen.
	origin types.Offset
	// end is the log's as last seen.
	end types.Offset
	// watermark is the partition's after the rows that were taken; types.NoWatermark at first.
	watermark int64
	// sources are the places of the relation's sources in the circuit.
	sources []int
	// entries were read and are not all taken: the first may hold rows below next.
	entries []*bus.Entry
}

// mark is a place in a partition and the watermark there; of the clock its time.
type mark struct {
	next, origin types.Offset
	watermark    int64
}

// newReader places a reader at marks; partitions that they don't name begin at 0.
func newReader(o *Options, t *tail, sources []circuit.Source, from map[types.PartitionID]mark, ticks bool) *reader {
	r := &reader{tail: t, log: o.Log, history: o.History, sources: sources, binder: newBinder(o.Evaluator), ticks: ticks,
		clock: &partition{id: bus.Clock, next: from[bus.Clock].next}, now: from[bus.Clock].watermark}
	byID := map[types.PartitionID]*partition{}
	r.watermarks = make([]int64, len(sources))
	for i, s := range sources {
		r.watermarks[i] = types.NoWatermark
		for k := range s.Relation.Partitions {
			id := types.PartitionID{Stream: s.Relation.ID, Index: k}
			p := byID[id]
			if p == nil {
				p = &partition{id: id, watermark: types.NoWatermark}
				if m, ok := from[id]; ok {
					p.next, p.origin, p.watermark = m.next, m.origin, m.watermark
				}
				byID[id], r.parts = p, append(r.parts, p)
			}
			p.sources = append(p.sources, i)
		}
	}
	slices.SortFunc(r.parts, func(a, b *partition) int { return a.id.Compare(b.id) })
	return r
}

// marks are the reader's places, by partition.
func (r *reader) marks() map[types.PartitionID]mark {
	m := map[types.PartitionID]mark{bus.Clock: {next: r.clock.next, watermark: r.now}}
	for _, p := range r.parts {
		m[p.id] = mark{p.next, p.origin, p.watermark}
	}
	return m
}

// reads are the partitions whose growth means a step.
func (r *reader) reads() map[types.PartitionID]bool {
	out := map[types.PartitionID]bool{}
	for _, p := range r.parts {
		out[p.id] = true
	}
	if r.ticks {
		out[bus.Clock] = true
	}
	return out
}

// position is the vector of all places.
func (r *reader) position() types.Position {
	cursors := make([]types.Cursor, 0, len(r.parts)+1)
	for _, p := range r.parts {
		cursors = append(cursors, types.Cursor{Partition: p.id, Next: p.next})
	}
	if r.ticks {
		cursors = append(cursors, types.Cursor{Partition: bus.Clock, Next: r.clock.next})
	}
	return types.NewPosition(r.log.Incarnation(), cursors)
}

// waiting counts the offsets that are in the log and not yet taken.
func (r *reader) waiting() (n int64) {
	for _, p := range r.parts {
		if b, err := r.log.Bounds(p.id); err == nil {
			p.end = b.End
		}
		if p.end > p.next {
			n += int64(p.end - p.next)
		}
	}
	return n
}

// step takes what has arrived, up to the bounds of a step, from all partitions in the proportion in which they lag: streams of one span of time
// then pass side by side. moved is false where there was nothing, not even a watermark.
func (r *reader) step(ctx context.Context) (in []circuit.Input, moved bool, err error) {
	ticked, err := r.tick()
	if err != nil {
		return nil, false, err
	}
	moved = ticked && r.ticks
	total := r.waiting()
	batches := make([][]*zset.Batch, len(r.sources))
	for _, p := range r.parts {
		if p.end <= p.next {
			continue
		}
		rows := max(1, int(float64(stepRows)*(float64(p.end-p.next)/float64(total))))
		if err := r.take(ctx, p, rows, batches); err != nil {
			return nil, false, err
		}
		moved = true
	}
	return r.inputs(batches), moved, nil
}

// atEnd reports whether the last step took all that was there when it began.
func (r *reader) atEnd() bool {
	for _, p := range r.parts {
		if p.next < p.end {
			return false
		}
	}
	return true
}

// tick reads the clock partition, and reports whether it went on.
func (r *reader) tick() (bool, error) {
	b, err := r.log.Bounds(bus.Clock)
	if types.HasCode(err, types.NotFound) {
		return false, nil
	}
	if err != nil || b.End <= r.clock.next {
		return false, err
	}
	r.clock.next = b.End
	r.now = max(r.now, b.LastAt)
	return true, nil
}

// take takes about so many rows of one partition.
func (r *reader) take(ctx context.Context, p *partition, rows int, batches [][]*zset.Batch) error {
	for rows > 0 {
		if len(p.entries) == 0 {
			done, err := r.fetch(ctx, p, rows, batches)
			if done || err != nil || len(p.entries) == 0 {
				return err
			}
		}
		n, err := r.takeEntry(p, rows, batches)
		if err != nil {
			return err
		}
		rows -= n
	}
	return nil
}

// takeEntry takes up to so many rows of a partition's first entry and returns how many.
func (r *reader) takeEntry(p *partition, rows int, batches [][]*zset.Batch) (int, error) {
	e := p.entries[0]
	if e.Batch == nil {
		p.next = max(p.next, e.Next)
		p.watermark = max(p.watermark, e.Runs[0].Watermark)
		p.drop()
		return 0, nil
	}
	from := int(max(p.next, e.First) - e.First)
	to := min(e.Batch.Rows, from+rows)
	if err := r.rows(p, e, from, to, batches); err != nil {
		return 0, err
	}
	if to < e.Batch.Rows {
		p.next = e.First + types.Offset(to)
		p.watermark = max(p.watermark, watermarkAt(e, to))
		return to - from, nil
	}
	p.next = e.Next
	p.watermark = max(p.watermark, r.after(p))
	p.drop()
	return to - from, nil
}

// drop forgets the first entry.
func (p *partition) drop() {
	p.entries = p.entries[1:]
	if len(p.entries) == 0 {
		p.entries = nil // the slice may be the ring's
	}
}

// fetch reads entries ahead; done is true where rows came from history instead.
func (r *reader) fetch(ctx context.Context, p *partition, rows int, batches [][]*zset.Batch) (done bool, err error) {
	bounds, err := r.log.Bounds(p.id)
	if err != nil {
		return false, err
	}
	if p.next < bounds.Start && r.history != nil {
		return true, r.takeHistory(ctx, p, bounds.Start, rows, batches)
	}
	entries, at, gaps, err := r.tail.readable(ctx, p.id, p.next, readBytes)
	if err != nil {
		return false, err
	}
	r.skipped += int64(gaps)
	if at > p.next {
		if p.next == p.origin {
			p.origin = at // nothing was seen before
		}
		p.next = at
	}
	p.entries = entries
	return false, nil
}

// after is the partition's watermark behind its first entry: the one before the next entry's rows, or the log's where there is no more.
func (r *reader) after(p *partition) int64 {
	e := p.entries[0]
	if len(p.entries) > 1 && p.entries[1].Batch != nil {
		return p.entries[1].Runs[0].Watermark
	}
	if b, err := r.log.Bounds(p.id); err == nil && b.End == e.Next {
		return b.Watermark
	}
	return watermarkAt(e, e.Batch.Rows-1)
}

// watermarkAt is the watermark that stood before the append of a row.
func watermarkAt(e *bus.Entry, row int) int64 {
	for _, run := range e.Runs {
		if row < run.Rows {
			return run.Watermark
		}
		row -= run.Rows
	}
	return types.NoWatermark
}

// rows adds rows [from, to) of an entry to the batches of the partition's sources.
func (r *reader) rows(p *partition, e *bus.Entry, from, to int, batches [][]*zset.Batch) error {
	if from >= to {
		return nil
	}
	b := e.Batch.Slice(from, to)
	s := stamps{partition: p.id.Index, first: e.First + types.Offset(from), rows: to - from, runs: runsOf(e.Runs, from, to)}
	for _, i := range p.sources {
		z, err := r.binder.batch(b, r.sources[i], &s)
		if err != nil {
			return err
		}
		batches[i] = append(batches[i], z)
	}
	return nil
}

// runsOf cuts the runs of rows [from, to).
func runsOf(runs []bus.Run, from, to int) []bus.Run {
	if len(runs) == 1 {
		cut := runs[0]
		cut.Rows = to - from
		return []bus.Run{cut}
	}
	var out []bus.Run
	at := 0
	for _, run := range runs {
		first, last := max(at, from), min(at+run.Rows, to)
		if first < last {
			cut := run
			cut.Rows = last - first
			out = append(out, cut)
		}
		at += run.Rows
	}
	return out
}

// inputs joins the batches of each source and adds its watermark: the least of its partitions.
func (r *reader) inputs(batches [][]*zset.Batch) []circuit.Input {
	in := make([]circuit.Input, len(r.sources))
	for i := range in {
		in[i].Watermark = types.NoWatermark
		if batches[i] != nil {
			in[i].Batch = join(r.sources[i], batches[i])
		}
	}
	seen := make([]bool, len(in))
	for _, p := range r.parts {
		for _, i := range p.sources {
			if !seen[i] || p.watermark < in[i].Watermark {
				in[i].Watermark = p.watermark
			}
			seen[i] = true
		}
	}
	for i := range in {
		r.watermarks[i] = max(r.watermarks[i], in[i].Watermark)
		in[i].Watermark = r.watermarks[i]
	}
	return in
}

func join(s circuit.Source, batches []*zset.Batch) *zset.Batch {
	if len(batches) == 1 {
		return batches[0]
	}
	return zset.Concat(sourceTypes(s), batches...)
}

// sourceTypes are those of a source's batches.
func sourceTypes(s circuit.Source) []types.Type {
	out := make([]types.Type, 0, len(s.Columns)+len(s.System))
	for _, c := range s.Columns {
		out = append(out, s.Relation.Schema.Columns[c].Type)
	}
	for _, sys := range s.System {
		out = append(out, plan.SystemType(sys))
	}
	return out
}
