package app

import (
	"context"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/catalog"
	"leat/internal/codec/encode"
	"leat/internal/codec/value"
	"leat/internal/duck"
	"leat/internal/engine/zset"
	"leat/internal/query"
	"leat/internal/types"
)

// Lookup implements query.Live: rows of a view or table by its key, in the key's order, straight from the engine's state.
func (v *views) Lookup(ctx context.Context, o *catalog.Object, l query.Lookup) (*query.Found, error) {
	live := v.liveOf(o.ID)
	version, err := v.version(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	defer version.Release()
	snap := version.View(o.ID)
	if live == nil || snap == nil {
		return nil, types.Errorf(types.NotFound, "there is no view %q", o.Name)
	}
	if !live.fits(snap) {
		return nil, anew()
	}
	k := keyed{object: o, schema: live.schema, key: snap.Key(), unique: o.Stream != nil || o.View.Materialized.Key != nil}
	got, err := k.look(snap, l, v.seals)
	if err != nil {
		return nil, err
	}
	rows := &foundRows{live: live, cut: got.cursor != ""}
	rows.set(got.rows)
	return &query.Found{Rows: rows, One: got.one, Cursor: got.cursor, Position: logPosition(version), Watermark: version.Watermark(o.ID)}, nil
}

// keyed is what a look-up must know of a relation. A view without a key has its rows in the order of all columns.
type keyed struct {
	object *catalog.Object
	schema *types.Schema
	key    []int
	unique bool
}

// column finds the column that a parameter names: by its name, else without regard to case; <column>.null is NULL.
func (k *keyed) column(c query.KeyValue) (int, *string, error) {
	if i := k.find(c.Column); i >= 0 {
		return i, c.Text, nil
	}
	if name, ok := strings.CutSuffix(c.Column, ".null"); ok {
		if i := k.find(name); i >= 0 {
			if c.Text != nil && *c.Text != "" && *c.Text != "true" && *c.Text != "1" {
				return 0, nil, misfit(c.Column, "means that %s is NULL; it takes no value", types.QuoteIdent(name))
			}
			return i, nil, nil
		}
	}
	return 0, nil, k.refuse(nil, "%q has no column %.100q; its key is %s", k.object.Name, c.Column, k.names())
}

func (k *keyed) find(name string) int {
	if i := k.schema.Index(name); i >= 0 {
		return i
	}
	return slices.IndexFunc(k.schema.Columns, func(c types.Column) bool { return strings.EqualFold(c.Name, name) })
}

// names lists the key columns for messages.
func (k *keyed) names() string {
	if k.unique && len(k.key) == 0 {
		return "empty: it has one row"
	}
	names := make([]string, len(k.key))
	for i, c := range k.key {
		names[i] = types.QuoteIdent(k.schema.Columns[c].Name)
	}
	return "(" + strings.Join(names, ", ") + ")"
}

func misfit(column, format string, args ...any) error {
	e := types.Errorf(types.InvalidArgument, "column %s "+format, append([]any{types.QuoteIdent(column)}, args...)...)
	e.Path = column
	return e
}

// sum tells apart look-ups whose cursors must not be mixed.
func (k *keyed) sum(l query.Lookup) uint32 {
	h := crc32.NewIEEE()
	columns := slices.Clone(l.Columns)
	slices.SortFunc(columns, func(a, b query.KeyValue) int { return strings.Compare(a.Column, b.Column) })
	for _, c := range columns {
		fmt.Fprintf(h, "%q=", c.Column)
		if c.Text != nil {
			fmt.Fprintf(h, "%q", *c.Text)
		}
	}
	for _, w := range l.Where {
		fmt.Fprintf(h, " where %q=%v %q", w.Column.Name, w.Value != nil, w.Text)
	}
	return h.Sum32()
}

// parseValue makes a column of one value from text that spells it exactly; nil if it doesn't. Types that no key in a URL can have are never
// spelled.
func parseValue(t types.Type, text string) *zset.Vec {
	s, v := []byte(text), &zset.Vec{Type: t, Len: 1}
	ok := false
	switch zset.PhysOf(t) {
	case zset.Float64:
		bits := 64
		if t.Kind == types.Float {
			bits = 32
		}
		f, status := value.Float(s, bits)
		v.F64, ok = []float64{f}, status == value.Exact
	case zset.Wide:
		n, status := value.HugeInt(s)
		if t.Kind == types.Decimal {
			n, status = value.Decimal(s, int(t.Precision), int(t.Scale))
		}
		ok = status == value.Exact && (t.Kind != types.UBigInt || n.HighBits() == 0)
		v.W = []zset.Int128{n}
	case zset.Bytes:
		v.Data = s
		switch t.Kind {
		case types.Varchar:
			ok = true
		case types.UUID:
			var u [16]byte
			u, ok = value.UUID(s)
			v.Data = u[:]
		}
		v.Off = []int32{0, int32(len(v.Data))}
	default:
		var n int64
		n, ok = parseInt64(t.Kind, s)
		v.I64 = []int64{n}
	}
	if !ok {
		return nil
	}
	return v
}

// parseInt64 reads a value of a type that lies in 64 bits.
func parseInt64(k types.Kind, s []byte) (int64, bool) {
	switch k {
	case types.Boolean:
		b, ok := value.Bool(s)
		if b {
			return 1, ok
		}
		return 0, ok
	case types.Date:
		d, ok := value.Date(s)
		return int64(d), ok
	case types.Time:
		return value.Time(s)
	case types.Timestamp, types.TimestampTZ:
		n, _, ok := value.Timestamp(s)
		return n, ok
	}
	n, status := value.Int(s)
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	switch k {
	case types.TinyInt:
		low, high = math.MinInt8, math.MaxInt8
	case types.SmallInt:
		low, high = math.MinInt16, math.MaxInt16
	case types.Integer:
		low, high = math.MinInt32, math.MaxInt32
	case types.UTinyInt:
		low, high = 0, math.MaxUint8
	case types.USmallInt:
		low, high = 0, math.MaxUint16
	case types.UInteger:
		low, high = 0, math.MaxUint32
	}
	return n, status == value.Exact && n >= low && n <= high
}

// foundRows is a small result that is there already.
type foundRows struct {
	live    *liveRows
	columns []arrow.Array
	rows    int
	read    bool
	cut     bool
}

// set makes the rows those of a batch, nil for none.
func (r *foundRows) set(b *zset.Batch) {
	if b == nil {
		return
	}
	r.rows = b.N
	r.columns = make([]arrow.Array, len(b.Cols))
	for i, c := range b.Cols {
		r.columns[i] = zset.ToArrow(c)
	}
}

// Columns is part of store.Rows.
func (r *foundRows) Columns() []types.Column { return r.live.schema.Columns }

// Next is part of store.Rows.
func (r *foundRows) Next(context.Context) (arrow.RecordBatch, error) {
	if r.read || r.rows == 0 {
		return nil, nil
	}
	r.read = true
	return duck.Record(r.live.names, r.live.types, r.columns, r.rows), nil
}

// object appends the only row as a JSON object; nothing if there is none.
func (r *foundRows) object(b []byte, o encode.Options) []byte {
	if r.rows == 0 {
		return b
	}
	return encode.AppendObject(b, r.live.schema.Columns, r.columns, 0, o)
}

// Truncated is part of store.Rows.
func (r *foundRows) Truncated() bool { return r.cut }

// Close is part of store.Rows.
func (r *foundRows) Close() error { return nil }
