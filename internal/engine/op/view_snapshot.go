package op

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// ViewSnapshot is an immutable version of a view. All methods but Close may be called from any goroutine at the same time; after Close
// none may.
type ViewSnapshot struct {
	form    *viewForm
	table   state.Snapshot
	rows    int64
	orders  []ViewOrder
	indexes []indexSnapshot
}

// indexSnapshot is an immutable version of an index.
type indexSnapshot struct {
	form  *indexForm
	table state.Snapshot
}

// Close releases the version's memory.
func (s *ViewSnapshot) Close() {
	s.table.Close()
	for _, x := range s.indexes {
		x.table.Close()
	}
}

// Types are the view's columns.
func (s *ViewSnapshot) Types() []types.Type { return s.form.types }

// Key are the positions of the columns that rows are found by, in order: the view's key, or all columns where it has none, or no column
// where rows lie in the order in which they came.
func (s *ViewSnapshot) Key() []int { return s.form.key }

// Rows is the number of rows, each counted as often as its weight.
func (s *ViewSnapshot) Rows() int64 { return s.rows }

// Get returns the row whose key columns equal row row of key, a column for each of Key in order; nil if there is none. Of a view without a
// key the row may have any weight.
func (s *ViewSnapshot) Get(key []*zset.Vec, row int) *zset.Batch {
	if s.form.log {
		return nil
	}
	k := s.form.bound(make([]byte, 0, 64), key, row)
	value, ok := s.table.Get(k)
	switch {
	case !ok:
		return nil
	case s.form.keyed:
		return s.form.packs.DecodeOne(value)
	}
	b := zset.NewBuilder(s.form.types)
	s.form.decode(b, k, value)
	return b.Finish()
}

// Scan returns up to limit rows (0: all) in the order of Key, ascending, NULLS LAST, beginning with the row at from, nil for the first. next
// is where to go on, nil at the end.
func (s *ViewSnapshot) Scan(from []byte, limit int) (b *zset.Batch, next []byte) {
	return s.scan(from, nil, limit)
}

// ScanPrefix is Scan over the rows whose first key columns equal row row of prefix, one column for each of the first of Key.
func (s *ViewSnapshot) ScanPrefix(prefix []*zset.Vec, row int, from []byte, limit int) (b *zset.Batch, next []byte) {
	if len(prefix) == 0 {
		return s.scan(from, nil, limit)
	}
	lower, upper := state.Prefix(s.form.bound(nil, prefix, row), nil)
	if bytes.Compare(from, lower) > 0 {
		lower = from
	}
	return s.scan(lower, upper, limit)
}

func (s *ViewSnapshot) scan(lower, upper []byte, limit int) (*zset.Batch, []byte) {
	if limit <= 0 {
		limit = math.MaxInt
	}
	if s.form.log {
		return s.scanLog(lower, limit)
	}
	return s.collect(s.table.Scan(lower, upper), limit, s.form.decode)
}

// firstRows is for how many rows there is room at first: most ranges that are asked for thousands of times a second are small.
const firstRows = 16

// collect decodes up to limit rows; next is the key of the row after them.
func (s *ViewSnapshot) collect(it state.Iterator, limit int, decode func(b *zset.Builder, key, value []byte)) (rows *zset.Batch, next []byte) {
	b := zset.NewBuilder(s.form.types)
	b.Reserve(min(limit, firstRows))
	for it.Next() {
		if b.Len() == limit {
			next = bytes.Clone(it.Key())
			it.Close()
			break
		}
		decode(b, it.Key(), it.Value())
	}
	return b.Finish(), next
}

// bound appends the key of the first key columns of a row that a reader asks for.
func (f *viewForm) bound(dst []byte, cols []*zset.Vec, row int) []byte {
	if len(f.key) == 0 {
		return f.appendKey(dst, nil, row)
	}
	for i, c := range cols {
		if f.keyed {
			c = zset.Normalize(c)
		}
		dst = f.codec.AppendCol(dst, i, c, row)
	}
	return dst
}

// decode appends a row of the table to b.
func (f *viewForm) decode(b *zset.Builder, key, value []byte) {
	if f.keyed {
		f.packs.Decode(value, b, 0)
		b.EndRow(1)
		return
	}
	f.codec.Decode(key, b, 0)
	b.EndRow(state.WeightOf(value))
}

// describeKey prints the key of a row for an error.
func describeKey(cols []*zset.Vec, row int) string {
	var s strings.Builder
	s.WriteByte('(')
	for i, c := range cols {
		if i > 0 {
			s.WriteString(", ")
		}
		switch {
		case c.Null(row):
			s.WriteString("NULL")
		case c.I64 != nil:
			s.WriteString(strconv.FormatInt(c.I64[row], 10))
		case c.F64 != nil:
			s.WriteString(strconv.FormatFloat(c.F64[row], 'g', -1, 64))
		case c.W != nil:
			s.WriteString(c.W[row].BigInt().String())
		case c.Type.Kind == types.Varchar || c.Type.Kind == types.JSON:
			s.Write(c.Bytes(row))
		default:
			s.WriteString("0x" + hex.EncodeToString(c.Bytes(row)))
		}
	}
	s.WriteByte(')')
	return s.String()
}
