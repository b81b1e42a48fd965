package zsettest

import (
	"fmt"
	"slices"
	"strings"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// Model is a multiset of rows: what the batches applied to it add up to. Rows are the same where zset.Equal says so.
type Model struct {
	ts    []types.Type
	codec *zset.RowCodec
	rows  map[string]int64
}

// NewModel returns an empty multiset of rows of these types, with bs applied.
func NewModel(ts []types.Type, bs ...*zset.Batch) *Model {
	m := &Model{ts: ts, codec: zset.NewRowCodec(ts), rows: map[string]int64{}}
	for _, b := range bs {
		m.Apply(b)
	}
	return m
}

// Apply adds the weights of b's rows. b may be nil.
func (m *Model) Apply(b *zset.Batch) {
	var key []byte
	for i := range b.Rows() {
		key = m.codec.Append(key[:0], b.Cols, i)
		w := m.rows[string(key)] + b.Weight(i)
		if w == 0 {
			delete(m.rows, string(key))
		} else {
			m.rows[string(key)] = w
		}
	}
}

// Len is the number of different rows.
func (m *Model) Len() int { return len(m.rows) }

// Batch returns the rows with their weights, nil if there are none. The order is that of their bytes.
func (m *Model) Batch() *zset.Batch {
	keys := make([]string, 0, len(m.rows))
	for k := range m.rows {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b := zset.NewBuilder(m.ts)
	for _, k := range keys {
		m.codec.Decode([]byte(k), b, 0)
		b.EndRow(m.rows[k])
	}
	return b.Finish()
}

// Rows prints the rows, sorted, with weights other than 1 in front.
func (m *Model) Rows() []string {
	out := []string{}
	b := m.Batch()
	for i := range b.Rows() {
		out = append(out, Row(b, i))
	}
	slices.Sort(out)
	return out
}

// Diff prints what has to change in m to be want, "" if nothing; long lists are cut.
func (m *Model) Diff(want *Model) string {
	d := NewModel(m.ts, want.Batch(), zset.Negate(m.Batch())).Batch()
	var out strings.Builder
	for i := range d.Rows() {
		if i == 20 {
			fmt.Fprintf(&out, "and %d more\n", d.N-i)
			break
		}
		word := "missing"
		if d.Weight(i) < 0 {
			word = "too much"
		}
		fmt.Fprintf(&out, "%s: %s\n", word, Row(d, i))
	}
	return out.String()
}

// Row prints row i of b.
func Row(b *zset.Batch, i int) string {
	var out strings.Builder
	if w := b.Weight(i); w != 1 {
		fmt.Fprintf(&out, "%+d x ", w)
	}
	out.WriteByte('(')
	for c, v := range b.Cols {
		if c > 0 {
			out.WriteString(", ")
		}
		out.WriteString(Print(v, i))
	}
	out.WriteByte(')')
	return out.String()
}

// Print prints value i of v; times are plain numbers.
func Print(v *zset.Vec, i int) string {
	switch {
	case v.Null(i):
		return "NULL"
	case v.I64 != nil:
		return fmt.Sprint(v.I64[i])
	case v.F64 != nil:
		return fmt.Sprint(v.F64[i])
	case v.W != nil:
		return v.W[i].ToString(int32(v.Type.Scale))
	}
	switch v.Type.Kind {
	case types.Interval:
		x := v.Interval(i)
		return fmt.Sprintf("%d months %d days %d us", x.Months, x.Days, x.Micros)
	case types.List, types.Struct, types.Map:
		return printNested(v.Slice(i, i+1))
	case types.Varchar, types.JSON:
		return fmt.Sprintf("%q", v.Bytes(i))
	}
	return fmt.Sprintf("x'%x'", v.Bytes(i))
}

func printNested(v *zset.Vec) string {
	parts, _ := zset.Unpack(v)
	var items []string
	for i := range parts[0].Len {
		var item []string
		for _, p := range parts {
			item = append(item, Print(p, i))
		}
		items = append(items, strings.Join(item, ": "))
	}
	return v.Type.Kind.String() + "[" + strings.Join(items, ", ") + "]"
}
