package query

import (
	"context"
	"maps"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/store"
	"leat/internal/types"
)

// maxPageBytes is how much memory the rows of a page may take, about: it then ends early, and its cursor leads on.
const maxPageBytes = 8 << 20

// read runs the page's statement and keeps its rows.
func (p *pager) read(ctx context.Context, s *Service) (*PageResult, error) {
	text, args := p.sql(p.limit + p.used + 1)
	maps.Copy(args, p.args)
	st, err := s.prepare(ctx, Text{Principal: p.request.Principal, SQL: text}, p.object.Name)
	if err != nil {
		return nil, err
	}
	run := p.request.Run
	run.Args, run.Limit = args, p.limit+p.used+1
	unlimited := *st
	unlimited.text.Principal.Limits.MaxRows = 0 // p.limit is within it, and rows that were answered before don't count
	res, err := s.Run(ctx, &unlimited, run)
	if err != nil || res.Rows == nil {
		return &PageResult{Result: res}, err
	}
	rows := &pageRows{columns: p.columns}
	last, used, err := p.collect(ctx, res.Rows, rows)
	closed := res.Rows.Close()
	if err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	out := &PageResult{Result: res}
	res.Rows = rows
	if rows.cut {
		out.Cursor, err = p.cursor(s.Signer, last, used)
	}
	return out, err
}

// collect keeps the rows of the page. last is the key of its last row, used how many rows with that key came, on this page and before.
func (p *pager) collect(ctx context.Context, from store.Rows, to *pageRows) (last []*string, used int, err error) {
	last, used = p.last, 0
	again := p.used // rows that came on pages before stand first
	count, size := 0, 0
	for {
		rec, err := from.Next(ctx)
		if err != nil || rec == nil {
			return last, used, err
		}
		keys := p.readers(rec)
		first, n := 0, 0
		for i := range int(rec.NumRows()) {
			same := last != nil && keys.equal(last, i)
			if again > 0 && same {
				again, first = again-1, i+1
				used++
				continue
			}
			again = 0
			if count == p.limit || size > maxPageBytes {
				to.cut = true
				break
			}
			if same {
				used++
			} else {
				last, used = keys.row(i), 1
			}
			count, n = count+1, n+1
		}
		if n > 0 {
			size += to.add(rec, first, n)
		}
		if to.cut {
			return last, used, nil
		}
	}
}

// pageRows are rows in memory.
type pageRows struct {
	columns []types.Column
	records []arrow.RecordBatch
	cut     bool
}

// add keeps a copy of n rows of a record and returns about how much memory it takes.
func (r *pageRows) add(rec arrow.RecordBatch, first, n int) int {
	columns := make([]arrow.Array, len(r.columns))
	size := uint64(0)
	for i := range columns {
		slice := array.NewSlice(rec.Column(i), int64(first), int64(first+n))
		copied, err := array.Concatenate([]arrow.Array{slice}, memory.DefaultAllocator)
		if err != nil {
			panic("BUG: an array can't be copied: " + err.Error())
		}
		columns[i] = copied
		size += copied.Data().SizeInBytes()
	}
	schema := arrow.NewSchema(rec.Schema().Fields()[:len(columns)], nil)
	r.records = append(r.records, array.NewRecordBatch(schema, columns, int64(n)))
	return int(size)
}

// Columns is part of store.Rows.
func (r *pageRows) Columns() []types.Column { return r.columns }

// Next is part of store.Rows.
func (r *pageRows) Next(context.Context) (arrow.RecordBatch, error) {
	if len(r.records) == 0 {
		return nil, nil
	}
	rec := r.records[0]
	r.records = r.records[1:]
	return rec, nil
}

// Truncated is part of store.Rows.
func (r *pageRows) Truncated() bool { return r.cut }

// Close is part of store.Rows.
func (r *pageRows) Close() error { return nil }

// keyReaders spell the keys of a record's rows.
type keyReaders []func(row int) *string

// readers finds the keys in a record: its columns, or the texts that stand behind them.
func (p *pager) readers(rec arrow.RecordBatch) keyReaders {
	out := make(keyReaders, len(p.keys))
	extra := len(p.columns)
	for i, k := range p.keys {
		column := k.column
		if !p.exact(k) {
			column, extra = extra, extra+1
		}
		a := rec.Column(column)
		out[i] = func(row int) *string {
			if a.IsNull(row) {
				return nil
			}
			text := spell(a, row)
			return &text
		}
	}
	return out
}

func (k keyReaders) row(i int) []*string {
	out := make([]*string, len(k))
	for j, read := range k {
		out[j] = read(i)
	}
	return out
}

// equal looks at the last key first: all but the last few of an order are equal where one is.
func (k keyReaders) equal(last []*string, i int) bool {
	for j := len(k) - 1; j >= 0; j-- {
		v := k[j](i)
		if (v == nil) != (last[j] == nil) || v != nil && *v != *last[j] {
			return false
		}
	}
	return true
}

// spell is the text of a value that a cast gives back.
func spell(a arrow.Array, i int) string {
	switch a := a.(type) {
	case array.StringLike:
		return a.Value(i)
	case *array.Binary:
		return string(a.Value(i))
	case *array.Dictionary:
		return spell(a.Dictionary(), a.GetValueIndex(i))
	case *array.Boolean:
		return strconv.FormatBool(a.Value(i))
	case *array.Float32:
		return spellFloat(float64(a.Value(i)), 32)
	case *array.Float64:
		return spellFloat(a.Value(i), 64)
	}
	return a.ValueStr(i) // of integers: their digits
}

// spellFloat makes one zero of both, which are equal.
func spellFloat(f float64, bits int) string {
	switch {
	case f == 0:
		return "0"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}
