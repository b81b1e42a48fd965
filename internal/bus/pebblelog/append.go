package pebblelog

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/bus"
	"leat/internal/types"
)

const (
	// maxAppendBytes bounds one request, which is one Pebble batch.
	maxAppendBytes = 256 << 20
	// entryBytes is about how large an entry may become; larger batches are cut.
	entryBytes = 4 << 20
	entryRows  = 1 << 16
	// encodeAlone is the size from which the caller encodes its own entry; smaller ones are joined by the committer.
	encodeAlone = 16 << 10
	maxNote     = 4 << 10
)

// request is one call that the committer answers.
type request struct {
	append *bus.Append
	parts  []part
	bytes  int
	dedup  *dedupKey
	// control runs in the committer instead, when nothing is under way.
	control func() error
	// tick asks for the marks that are due.
	tick bool

	claimed atomic.Bool // by the committer, or by a caller that gave up
	done    chan struct{}
	ack     bus.Ack
	err     error
}

// part is one part of a request, looked at and maybe encoded by its caller.
type part struct {
	p     *partition
	info  *schemaInfo
	batch *types.Batch
	rule  *types.TimeRule
	bytes int
	times times
	// chunks are the entries of a large batch; nil for one that the committer joins with others.
	chunks []*encoded
}

// Append implements bus.Log.
func (l *Log) Append(ctx context.Context, a *bus.Append) (bus.Ack, error) {
	r := &request{append: a, done: make(chan struct{})}
	if err := l.prepare(r); err != nil {
		return bus.Ack{}, err
	}
	if err := l.submit(ctx, r); err != nil {
		return bus.Ack{}, err
	}
	return r.ack, nil
}

// submit hands a request to the committer and waits for its answer. A caller that gives up before the committer
// took the request can be sure that nothing was written; after that it gets the answer, which is one fsync away.
func (l *Log) submit(ctx context.Context, r *request) error {
	if err := l.failed(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctxError(ctx)
	}
	if err := l.queue.put(ctx, r); err != nil {
		return err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.claimed.CompareAndSwap(false, true) {
			return ctxError(ctx)
		}
		<-r.done
	}
	return r.err
}

// control runs f in the committer with nothing else under way.
func (l *Log) control(ctx context.Context, f func() error) error {
	return l.submit(ctx, &request{control: f, done: make(chan struct{})})
}

// prepare checks a request and does what needs no order.
func (l *Log) prepare(r *request) error {
	a := r.append
	if d := a.Dedup; d != nil {
		if len(d.Note) > maxNote {
			return types.Errorf(types.InvalidArgument, "the note of an idempotent append has %d bytes; the limit is %d", len(d.Note), maxNote)
		}
		r.dedup = newDedupKey(d)
	}
	if len(a.Parts) == 0 && a.Dedup == nil && a.Epoch == nil {
		return types.Errorf(types.InvalidArgument, "an append without parts")
	}
	r.parts = make([]part, len(a.Parts))
	for i, in := range a.Parts {
		p, err := l.partition(in.Partition)
		if err != nil {
			return err
		}
		info, err := l.checkBatch(in)
		if err != nil {
			return err
		}
		r.parts[i] = part{p: p, info: info, batch: in.Batch, rule: p.stream.rule.Load(), bytes: blockSize(in.Batch)}
		r.bytes += r.parts[i].bytes
	}
	if r.bytes > maxAppendBytes {
		return types.Errorf(types.PayloadTooLarge, "an append of %d MiB; the limit is %d MiB", r.bytes>>20, maxAppendBytes>>20).
			WithHint("send the rows in several appends")
	}
	for i := range r.parts {
		if err := r.parts[i].encode(); err != nil {
			return err
		}
	}
	return nil
}

// checkBatch refuses a batch that does not fit its own schema.
func (l *Log) checkBatch(in bus.Part) (*schemaInfo, error) {
	b := in.Batch
	if in.Partition.Stream == bus.Clock.Stream {
		return nil, types.Errorf(types.InvalidArgument, "partition %s belongs to the log's clock", in.Partition)
	}
	if b == nil || b.Rows <= 0 || b.Schema == nil {
		return nil, types.Errorf(types.InvalidArgument, "an empty batch for partition %s", in.Partition)
	}
	info, err := l.schemas.of(b.Schema)
	if err != nil {
		return nil, err
	}
	if len(b.Columns) != len(info.arrow) || b.Weights != nil && len(b.Weights) != b.Rows {
		return nil, types.Errorf(types.InvalidArgument, "a batch of %d columns and %d weights for %d columns and %d rows",
			len(b.Columns), len(b.Weights), len(info.arrow), b.Rows)
	}
	for i, c := range b.Columns {
		if c.Len() != b.Rows || !sameType(c.DataType(), info.arrow[i]) {
			return nil, types.Errorf(types.InvalidArgument, "column %q has %d rows of %s, not %d of %s",
				b.Schema.Columns[i].Name, c.Len(), c.DataType(), b.Rows, info.arrow[i])
		}
	}
	return info, nil
}

func sameType(a, b arrow.DataType) bool {
	return a == b || a.ID() == b.ID() && arrow.TypeEqual(a, b)
}

// encode makes the entries of a large batch and looks at the times of a small one.
func (p *part) encode() error {
	if p.bytes < encodeAlone && p.batch.Rows <= entryRows {
		p.times = timesOf(p.batch, *p.rule)
		return nil
	}
	cuts := max((p.bytes+entryBytes-1)/entryBytes, (p.batch.Rows+entryRows-1)/entryRows)
	step := max((p.batch.Rows+cuts-1)/cuts, 1)
	for from := 0; from < p.batch.Rows; from += step {
		e, err := encode(p.info, []*types.Batch{p.batch.Slice(from, min(from+step, p.batch.Rows))})
		if err != nil {
			return err
		}
		e.times = timesOf(e.batch, *p.rule)
		p.chunks = append(p.chunks, e)
	}
	return nil
}

func ctxError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return types.Errorf(types.Timeout, "the append was not written: %w", ctx.Err())
	}
	return types.Errorf(types.Canceled, "the append was not written: %w", ctx.Err())
}

func errClosed() error {
	return types.Errorf(types.Unavailable, "the log is closed")
}
