package run

import (
	"context"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/codec/encode"
	"leat/internal/engine/zset"
	"leat/internal/sql/opt"
	"leat/internal/state"
	"leat/internal/types"
)

// resultTable is the arrangement that holds the rows until they are printed; lowering never gives this number out.
const resultTable state.TableID = 1 << 31

// printRows is how many rows are encoded at once.
const printRows = 2048

// printer writes the result: every change, or the rows at the end. Rows that nothing can take back are written as they come.
type printer struct {
	types   []types.Type
	changes bool
	// hidden is how many columns come before those to print: the rows are in their order.
	hidden int
	// held has the rows until the end; nil where they are written at once.
	held *held
	rows *records
	done chan error
}

func (q *query) newPrinter(ctx context.Context, store state.Store) (*printer, error) {
	format, err := encode.Negotiate(q.Format, "")
	if err != nil {
		return nil, err
	}
	p := &printer{types: typesOf(q.node.Fields()), changes: q.Changes || q.Follow, hidden: len(q.orders), done: make(chan error, 1)}
	p.rows = &records{next: make(chan arrow.RecordBatch, 2), stop: make(chan struct{})}
	if p.changes {
		p.rows.columns = append(p.rows.columns, types.Column{ID: 1, Name: "_weight", Type: types.Of(types.BigInt)})
	}
	for i, f := range q.fields() {
		p.rows.columns = append(p.rows.columns, types.Column{ID: int32(i + 2), Name: f.Name, Type: f.Type})
	}
	if !p.changes && (p.hidden > 0 || !opt.Infer(q.node).AppendOnly) {
		orders := append(slices.Clone(q.orders), make([]zset.KeyOrder, len(p.types)-p.hidden)...)
		p.held = newHeld(store.Table(resultTable), p.types, orders)
	}
	p.rows.live = slices.ContainsFunc(q.order, func(in *input) bool { return in.live })
	go func() {
		// It ends when the rows do: what was printed before an interrupt is complete.
		err := encode.Encode(context.WithoutCancel(ctx), q.Stdout, format, p.rows, encode.Options{})
		close(p.rows.stop)
		p.done <- err
	}()
	return p, nil
}

// print takes the change of one step.
func (p *printer) print(b *zset.Batch) error {
	if b.Rows() == 0 {
		return nil
	}
	if p.held == nil {
		return p.write(b)
	}
	p.held.add(b)
	return nil
}

// write hands rows to the encoder; rows of weight n are n rows, unless changes are printed.
func (p *printer) write(b *zset.Batch) error {
	if !p.changes {
		b = zset.Repeat(b)
	}
	cols := make([]arrow.Array, 0, len(b.Cols)+1)
	if p.changes {
		w := make([]int64, b.N)
		for i := range w {
			w[i] = b.Weight(i)
		}
		cols = append(cols, zset.ToArrow(&zset.Vec{Type: types.Of(types.BigInt), Len: b.N, I64: w}))
	}
	for _, v := range b.Cols[p.hidden:] {
		cols = append(cols, zset.ToArrow(v))
	}
	fields := make([]arrow.Field, len(cols))
	for i, c := range p.rows.columns {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type.Arrow(), Nullable: true}
	}
	select {
	case p.rows.next <- array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, int64(b.N)):
		return nil
	case <-p.rows.stop:
		return io.ErrClosedPipe
	}
}

// close writes the rows that were held and ends the encoding; it returns the first error.
func (p *printer) close(err error) error {
	if p.held != nil {
		p.held.end(err != nil)
		if err == nil {
			err = p.rest()
		}
	}
	close(p.rows.next)
	if e := <-p.done; e != nil {
		return e
	}
	return err
}

// rest writes the held rows in order.
func (p *printer) rest() (err error) {
	b := zset.NewBuilder(p.types)
	p.held.each(func(key []byte, w int64) bool {
		p.held.codec.Decode(key, b, 0)
		b.EndRow(w)
		if b.Len() >= printRows {
			err = p.write(b.Finish())
		}
		return err == nil
	})
	if err != nil || b.Len() == 0 {
		return err
	}
	return p.write(b.Finish())
}

// records are an encode.Rows that is filled from outside.
type records struct {
	columns []types.Column
	next    chan arrow.RecordBatch
	// live rows are not kept from their reader until there are many.
	live bool
	// stop is closed once nobody reads any more.
	stop chan struct{}
}

func (r *records) Columns() []types.Column { return r.columns }

func (r *records) Next(ctx context.Context) (arrow.RecordBatch, error) {
	select {
	case rec, ok := <-r.next:
		if !ok {
			return nil, nil
		}
		return rec, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Idle is part of encode.Follower.
func (r *records) Idle() bool { return r.live && len(r.next) == 0 }

func (r *records) Truncated() bool { return false }
