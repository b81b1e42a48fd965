package app

import (
	"context"
	"encoding/base64"
	"encoding/binary"
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
	"leat/internal/engine/op"
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
	values, err := k.values(l)
	if err != nil {
		return nil, err
	}
	found := &query.Found{Position: logPosition(version), Watermark: version.Watermark(o.ID)}
	rows := &foundRows{live: live}
	found.Rows = rows
	if found.One = k.unique && len(values) > 0 && len(values) == len(k.key); found.One {
		rows.set(snap.Get(values, 0))
		return found, nil
	}
	p := page{id: o.ID, sum: k.sum(l), prefix: values, limit: l.Limit}
	if p.limit == 0 {
		p.limit = query.DefaultPage
	}
	if err := p.resume(l.Cursor); err != nil {
		return nil, err
	}
	rows.set(p.read(snap))
	found.Cursor = p.cursor()
	rows.cut = found.Cursor != ""
	return found, nil
}

// keyed is what a look-up must know of a relation. A view without a key has its rows in the order of all columns.
type keyed struct {
	object *catalog.Object
	schema *types.Schema
	key    []int
	unique bool
}

// values gives the look-up's texts the types of the key's first columns.
func (k *keyed) values(l query.Lookup) ([]*zset.Vec, error) {
	if len(k.key) == 0 && !k.unique && (l.Key != nil || len(l.Columns) > 0) {
		return nil, k.refuse("rows of %q have no key: they can be read here in the order in which they came, and are found by no column", k.object.Name)
	}
	if l.Key != nil {
		if !k.unique || len(k.key) != 1 {
			return nil, k.refuse("the path has one value, and the key of %q is %s", k.object.Name, k.names())
		}
		return k.vecs(map[int]*string{k.key[0]: l.Key})
	}
	given := map[int]*string{}
	for _, c := range l.Columns {
		i, text, err := k.column(c)
		if err != nil {
			return nil, err
		}
		if _, twice := given[i]; twice {
			return nil, misfit(c.Column, "is given twice")
		}
		given[i] = text
	}
	for _, c := range k.key[:min(len(given), len(k.key))] {
		if _, ok := given[c]; !ok {
			return nil, k.refuse("rows of %q are found by its key, %s: by all of its columns or the first ones, in this order", k.object.Name, k.names())
		}
	}
	if len(given) > len(k.key) {
		return nil, k.refuse("rows of %q are found by its key, %s, and by no other columns", k.object.Name, k.names())
	}
	return k.vecs(given)
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
	return 0, nil, k.refuse("%q has no column %.100q; its key is %s", k.object.Name, c.Column, k.names())
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

// refuse is an error about columns, with the ways that lead there.
func (k *keyed) refuse(format string, args ...any) error {
	where := "/v1/views/" + k.object.Name
	if k.object.Stream != nil {
		where = "/v1/tables/" + k.object.Name
	}
	ways := where + "/rows"
	for i, c := range k.key {
		ways += fmt.Sprintf("%c%s=...", "?&"[min(i, 1)], k.schema.Columns[c].Name)
	}
	return types.Errorf(types.InvalidArgument, format, args...).
		WithHint("ask for %s, or by other columns with SQL: SELECT * FROM %s WHERE ...", ways, types.QuoteIdent(k.object.Name))
}

func misfit(column, format string, args ...any) error {
	e := types.Errorf(types.InvalidArgument, "column %s "+format, append([]any{types.QuoteIdent(column)}, args...)...)
	e.Path = column
	return e
}

// vecs makes a column of one value for each of the first key columns.
func (k *keyed) vecs(given map[int]*string) ([]*zset.Vec, error) {
	out := make([]*zset.Vec, len(given))
	for i := range out {
		c := k.schema.Columns[k.key[i]]
		text := given[k.key[i]]
		if text == nil {
			out[i] = zset.Nulls(c.Type, 1)
			continue
		}
		if out[i] = parseValue(c.Type, *text); out[i] == nil {
			return nil, misfit(c.Name, "is %s, which %.60q is not", c.Type, *text)
		}
	}
	return out, nil
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

// page reads some rows of a prefix, from where the page before ended.
type page struct {
	id     types.ObjectID
	sum    uint32
	prefix []*zset.Vec
	limit  int

	// from is the state key of the first row; used is how many copies of it were answered before, if it still is the row of that hash.
	from []byte
	used int64
	hash uint64
	// more is set where rows follow; from and used are then theirs.
	more bool
}

// A page ends after maxPageBytes of rows even if more of them were asked for; they are decoded pageRows at a time.
const (
	maxPageBytes = 16 << 20
	pageRows     = 1000
)

// read returns up to limit rows, each as often as its weight; nil if there are none.
func (p *page) read(snap *op.ViewSnapshot) *zset.Batch {
	var parts []*zset.Batch
	for left, size := p.limit, 0; left > 0 && size < maxPageBytes; {
		p.more = false
		b := p.piece(snap, min(left, pageRows))
		if b == nil {
			break
		}
		parts = append(parts, b)
		left, size = left-b.N, size+batchBytes(b)
		if !p.more {
			break
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return zset.Concat(snap.Types(), parts...)
}

// piece returns the next rows, limit at most, and moves on behind them.
func (p *page) piece(snap *op.ViewSnapshot, limit int) *zset.Batch {
	b, next := snap.ScanPrefix(p.prefix, 0, p.from, limit)
	if b == nil {
		return nil
	}
	if p.used > 0 && p.hash != hashOf(b, 0) {
		p.used = 0
	}
	var sel []int32
	i, used := 0, p.used
	for i < b.N && len(sel) < limit {
		if used >= b.Weight(i) {
			i, used = i+1, 0
			continue
		}
		sel = append(sel, int32(i))
		used++
	}
	if i < b.N && used >= b.Weight(i) {
		i, used = i+1, 0
	}
	switch i {
	case 0:
		next = p.from
	case b.N:
	default:
		_, next = snap.ScanPrefix(p.prefix, 0, p.from, i)
	}
	p.from, p.used, p.more = next, used, next != nil || i == 0
	if used > 0 {
		p.hash = hashOf(b, i)
	}
	out := zset.GatherBatch(b, sel)
	out.W = nil
	return out
}

func hashOf(b *zset.Batch, row int) uint64 { return zset.Hash(b.Slice(row, row+1).Cols, 1, nil)[0] }

const cursorVersion = 1

// cursor is the opaque text of where the next page begins.
func (p *page) cursor() string {
	if !p.more {
		return ""
	}
	b := []byte{cursorVersion}
	b = binary.AppendUvarint(b, uint64(p.id))
	b = binary.BigEndian.AppendUint32(b, p.sum)
	if b = binary.AppendUvarint(b, uint64(p.used)); p.used > 0 {
		b = binary.BigEndian.AppendUint64(b, p.hash)
	}
	b = append(b, p.from...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// resume reads a cursor of the same look-up.
func (p *page) resume(text string) error {
	if text == "" {
		return nil
	}
	bad := types.Errorf(types.InvalidArgument, "parameter \"_cursor\" is not from an answer to this look-up").WithHint("send Leat-Cursor of the page before, with the same columns")
	bad.Path = "_cursor"
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 7 || b[0] != cursorVersion {
		return bad
	}
	b = b[1:]
	id, n := binary.Uvarint(b)
	if n <= 0 || len(b) < n+5 || types.ObjectID(id) != p.id || binary.BigEndian.Uint32(b[n:]) != p.sum {
		return bad
	}
	b = b[n+4:]
	used, n := binary.Uvarint(b)
	if n <= 0 || used > math.MaxInt64 {
		return bad
	}
	p.used, p.from = int64(used), b[n:]
	if used > 0 {
		if len(p.from) < 8 {
			return bad
		}
		p.hash, p.from = binary.BigEndian.Uint64(p.from), p.from[8:]
	}
	return nil
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
