package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"leat/internal/codec"
	"leat/internal/engine/circuit"
	"leat/internal/engine/expr"
	"leat/internal/engine/lower"
	"leat/internal/engine/zset"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// query is a bound script.
type query struct {
	*script
	node plan.Node
	// orders are of the node's first columns, which are not printed: the rows come in the order of all columns.
	orders []zset.KeyOrder
}

// fields are the columns to print.
func (q *query) fields() []plan.Field { return q.node.Fields()[len(q.orders):] }

func (q *query) explain(w io.Writer) error {
	_, err := io.WriteString(w, opt.Explain(q.node, expr.Native))
	return err
}

// shuffled is how many records a step of Options.Shuffle has at most.
const shuffled = 7

// maxTold is how many records and rows that can't be used are printed; the rest is counted.
const maxTold = 10

// feed is a query at work.
type feed struct {
	*query
	circuit *circuit.Circuit
	out     *printer
	// of are the sources of each input, by their place in the circuit.
	of map[*input][]int
	// rejected and failed count records and rows.
	rejected, failed, late int64
}

func (q *query) run(ctx context.Context) (err error) {
	store, err := q.State()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	low, err := lower.Lower([]lower.View{{Plan: q.node}}, store, q.Evaluator)
	if err != nil {
		return err
	}
	out, err := q.newPrinter(ctx, store)
	if err != nil {
		return err
	}
	f := &feed{query: q, circuit: low.Circuit, out: out, of: map[*input][]int{}}
	err = f.feed(ctx)
	if err == nil {
		err = store.Err()
	}
	f.summary()
	return out.close(err)
}

// feed decodes all inputs beside the engine and steps until they end.
func (f *feed) feed(ctx context.Context) error {
	f.match()
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	workers := make(chan func())
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				select {
				case work := <-workers:
					work()
				case <-ctx.Done():
					return
				}
			}
		})
	}
	failed := make(chan error, len(f.order))
	for _, in := range f.order {
		in.next = make(chan *job, ahead)
		wg.Go(func() { failed <- in.decode(ctx, workers) })
	}
	if err := f.steps(ctx); err != nil {
		return err
	}
	if f.Follow && ctx.Err() != nil {
		return nil
	}
	for range f.order {
		if err := <-failed; err != nil {
			return err
		}
	}
	return f.end()
}

// match finds which source each input fills, and makes the decoders for the columns that are asked for.
func (f *feed) match() {
	for _, in := range f.order {
		var columns []int
		for i, s := range f.circuit.Sources() {
			if s.Relation == in.rel {
				f.of[in] = append(f.of[in], i)
				columns = append(columns, s.Columns...)
			}
		}
		if f.Tap != nil {
			f.Tap(in.rel, nil, nil)
			columns = columns[:0]
			for i := range in.rel.Schema.Columns {
				columns = append(columns, i)
			}
		}
		in.prepare(columns)
	}
}

// prepare makes the decoder.
func (in *input) prepare(columns []int) {
	if c := in.timeColumn(); c >= 0 && in.rel.Time.Watermarked {
		columns = append(columns, c)
	}
	var key []int32
	if in.rel.Kind == plan.TableRelation {
		key = in.rel.Key
		for _, id := range key {
			columns = append(columns, in.rel.Schema.IndexID(id))
		}
	}
	slices.Sort(columns)
	in.decoder = codec.NewDecoder(in.rel.Schema, codec.Options{Name: in.name, Key: key, EventTime: in.rel.Time.Column, Columns: slices.Compact(columns)})
}

func (in *input) timeColumn() int {
	if in.rel.Time.Column == 0 {
		return -1
	}
	return in.rel.Schema.IndexID(in.rel.Time.Column)
}

// steps gives the engine the inputs' bodies, always that of the input of which the smallest share was read: files of one span of time
// then go through it side by side.
func (f *feed) steps(ctx context.Context) error {
	open := slices.Clone(f.order)
	for len(open) > 0 {
		in := f.pick(ctx, open)
		if in.pending != nil && in.pending.Rows > 0 {
			if err := f.some(in); err != nil {
				return err
			}
			continue
		}
		select {
		case j, ok := <-in.next:
			if !ok {
				open = slices.DeleteFunc(open, func(x *input) bool { return x == in })
				continue
			}
			if err := f.take(ctx, in, j); err != nil {
				return err
			}
		case <-ctx.Done():
			if f.Follow {
				return nil
			}
			return ctx.Err()
		}
	}
	return nil
}

// pick chooses the input of the next step.
func (f *feed) pick(ctx context.Context, open []*input) *input {
	switch {
	case f.Shuffle != nil:
		return open[f.Shuffle.IntN(len(open))]
	case f.Follow && len(open) > 1:
		return f.arrived(ctx, open)
	}
	return slices.MinFunc(open, func(a, b *input) int { return cmp.Compare(a.done, b.done) })
}

// arrived waits for an input that has something.
func (f *feed) arrived(ctx context.Context, open []*input) *input {
	for ctx.Err() == nil {
		for _, in := range open {
			if len(in.next) > 0 || in.pending != nil && in.pending.Rows > 0 {
				return in
			}
		}
		time.Sleep(time.Millisecond)
	}
	return open[0]
}

// take waits for a body to be decoded and makes its records the input's pending ones.
func (f *feed) take(ctx context.Context, in *input, j *job) error {
	select {
	case <-j.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	if j.err != nil {
		return types.Errorf(types.InvalidRecord, "%s: %w", in.path, j.err)
	}
	in.tell(f.Stderr, j.decoded.Rejects, int(max(0, maxTold-f.rejected)))
	f.rejected += int64(len(j.decoded.Rejects))
	in.line += j.records
	in.done = max(in.done, j.share)
	in.pending = j.decoded.Batch
	return nil
}

// some runs the next of the pending records of an input.
func (f *feed) some(in *input) error {
	n := f.Step
	if f.Shuffle != nil {
		n = 1 + f.Shuffle.IntN(shuffled)
	}
	if n <= 0 || n > in.pending.Rows {
		n = in.pending.Rows
	}
	b := in.pending.Slice(0, n)
	in.pending = in.pending.Slice(n, in.pending.Rows)
	if n == 0 {
		return nil
	}
	return f.step(in, b)
}

// step runs some records of one input.
func (f *feed) step(in *input, b *types.Batch) error {
	stamps := in.stamp(b)
	if f.Tap != nil {
		f.Tap(in.rel, b, stamps.watermarks)
	}
	step := f.inputs()
	for _, i := range f.of[in] {
		s := f.circuit.Sources()[i]
		z := zset.FromBatch(b, append([]int{}, s.Columns...)) // nil would mean all
		for _, sys := range s.System {
			z.Cols = append(z.Cols, stamps.column(sys))
		}
		step[i] = circuit.Input{Batch: z, Watermark: in.watermark}
	}
	return f.run(step)
}

// inputs are those of a step in which nothing came.
func (f *feed) inputs() []circuit.Input {
	step := make([]circuit.Input, len(f.circuit.Sources()))
	for in, sources := range f.of {
		for _, i := range sources {
			step[i].Watermark = in.watermark
		}
	}
	return step
}

func (f *feed) run(step []circuit.Input) error {
	out, err := f.circuit.Step(step, time.Now().UnixMicro())
	if err != nil {
		return err
	}
	for _, fail := range out.Failed {
		w := fail.Batch.Weight(fail.Row)
		if f.failed < maxTold && w > 0 {
			fmt.Fprintf(f.Stderr, "a row is left out: %s\n", fail.Reason.Error())
		}
		f.failed += w
	}
	for _, l := range out.Late {
		f.late += l.Rows()
	}
	return f.out.print(out.Deltas[0])
}

// end closes the windows: after the last record nothing can come.
func (f *feed) end() error {
	if f.NoClose {
		return f.run(f.inputs())
	}
	for _, in := range f.order {
		if in.rel.Time.Watermarked {
			in.watermark = math.MaxInt64
		}
	}
	return f.run(f.inputs())
}

// summary tells what was left out.
func (f *feed) summary() {
	told := func(n int64, one, many string) {
		switch n {
		case 0:
		case 1:
			fmt.Fprintln(f.Stderr, "1 "+one)
		default:
			fmt.Fprintln(f.Stderr, n, many)
		}
	}
	told(f.rejected, "record could not be used", "records could not be used")
	told(f.failed, "row was left out because an expression failed", "rows were left out because an expression failed")
	told(f.late, "row was late", "rows were late")
}
