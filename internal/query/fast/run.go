package fast

import (
	"math"
	"slices"
	"strings"
	"time"

	"leat/internal/engine/expr"
	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Run answers the query from a snapshot of its relation; args are as store.Query.Args has them, maxRows is the most rows to answer. It returns nil
// where the store has to.
func (p *Plan) Run(snap *op.ViewSnapshot, args map[string]any, maxRows int) *Rows {
	c := p.choiceFor(snap)
	if c.stale {
		return nil
	}
	m := c.machines.Get().(*machine)
	r := run{plan: p, choice: c, machine: m, snap: snap}
	out := r.do(args, maxRows)
	m.forget()
	c.machines.Put(m)
	return out
}

// choiceFor is the choice for the orders of a snapshot, which all snapshots of a view share until it gets or loses an index.
func (p *Plan) choiceFor(snap *op.ViewSnapshot) *choice {
	orders, ts := snap.Orders(), snap.Types()
	if c := p.chosen.Load(); c != nil && same(c.orders, orders) && same(c.types, ts) {
		return c
	}
	c := p.choose(orders, ts)
	p.chosen.Store(c)
	return c
}

// same reports whether two slices are one.
func same[T any](a, b []T) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// forget lets go of what a run has read.
func (m *machine) forget() {
	clear(m.values)
	clear(m.prefix)
}

// run is one run under way.
type run struct {
	plan    *Plan
	choice  *choice
	machine *machine
	snap    *op.ViewSnapshot

	// skip and most are the rows to pass over, and those to answer then; need is how many rows of the order are enough, if rows come sorted.
	skip, most, need int
	// bounded says that the caller's limit bounds the answer, not the query's: most is then one row more, to know whether there are more.
	bounded         bool
	now             int64
	examined, found int
	pieces          []*zset.Batch
}

func (r *run) do(args map[string]any, maxRows int) *Rows {
	if !r.bind(args) || !r.limits(maxRows) {
		return nil
	}
	c := r.choice
	stops := c.sorted && r.need <= MaxRows && len(c.residual) == 0
	if !c.useful() && !c.one && !stops && r.snap.Rows() > MaxRows {
		return nil
	}
	if !r.read() {
		return nil
	}
	rows := zset.Concat(r.snap.Types(), r.pieces...)
	sel, ok := r.arrange(rows)
	if !ok {
		return nil
	}
	return r.answer(rows, sel)
}

// bind gives the parameters their values and computes what depends on them alone.
func (r *run) bind(args map[string]any) bool {
	m := r.machine
	for i, a := range r.plan.Params {
		given, ok := args[a.Name]
		if !ok {
			given, ok = args[strings.ToLower(a.Name)]
		}
		if !ok || !set(m.params[i], given) {
			return false
		}
	}
	if m.scalars == nil && m.filter == nil && m.project == nil && m.order == nil {
		return true
	}
	r.now = time.Now().UnixMicro()
	for _, p := range [...]*expr.Program{m.scalars, m.filter, m.project, m.order} {
		if p != nil {
			p.SetParams(m.params)
			p.SetNow(r.now)
		}
	}
	if m.scalars == nil {
		return true
	}
	values, failures, err := m.scalars.Eval(&zset.Batch{N: 1})
	m.values = values
	return err == nil && len(failures) == 0
}

// value is that of an expression without columns.
func (r *run) value(e *plan.Expr) *zset.Vec {
	if e.Kind == plan.Param {
		return r.machine.params[e.Index]
	}
	return r.machine.values[r.machine.places[e]]
}

// limits computes how many rows are wanted.
func (r *run) limits(maxRows int) bool {
	p := r.plan
	limit, skip := p.limit, p.offset
	if p.limitBy != nil {
		v := r.value(p.limitBy)
		if limit = -1; !v.Null(0) {
			if limit = v.I64[0]; limit < 0 {
				return false // an error
			}
		}
	}
	if p.offsetBy != nil {
		v := r.value(p.offsetBy)
		if v.Null(0) || v.I64[0] < 0 {
			return false
		}
		skip = v.I64[0]
	}
	r.most, r.bounded = maxRows+1, true
	if limit >= 0 && limit <= int64(maxRows) {
		r.most, r.bounded = int(limit), false
	}
	if skip > MaxRows {
		skip = math.MaxInt32 // beyond what can be examined
	}
	r.skip = int(skip)
	r.need = r.skip + r.most
	return true
}

// read reads the rows that the order finds and that satisfy the rest. It reports false where that would be too many.
func (r *run) read() bool {
	c, m := r.choice, r.machine
	if r.most == 0 {
		return true
	}
	m.prefix = m.prefix[:0]
	many := -1
	for i, k := range c.prefix {
		if len(k.values) > 1 {
			many = i
			m.prefix = append(m.prefix, nil)
			continue
		}
		v, ok := r.key(k, k.values[0])
		if !ok {
			return true // equals nothing
		}
		m.prefix = append(m.prefix, v)
	}
	if many < 0 {
		return r.readPrefix()
	}
	for _, v := range r.distinct(c.prefix[many]) {
		m.prefix[many] = v
		if !r.readPrefix() {
			return false
		}
		if c.sorted && r.found >= r.need {
			break
		}
	}
	return true
}

// key is a value that a column must have; ok is false where none can have it.
func (r *run) key(k key, e *plan.Expr) (v *zset.Vec, ok bool) {
	v = r.value(e)
	if v.Null(0) {
		return v, k.nulls
	}
	if k.narrows {
		var off int
		v, off = narrow(v, r.plan.columns[k.column].Type)
		return v, off == 0
	}
	return v, true
}

// narrow makes an integer one of a column's type: off is -1 where it is below all of them, 1 where it is above.
func narrow(v *zset.Vec, t types.Type) (out *zset.Vec, off int) {
	low, high, _ := span(t.Kind)
	n := int64(0)
	if v.W != nil {
		switch w := v.W[0]; {
		case w.HighBits() < -1, w.HighBits() == -1 && int64(w.LowBits()) >= 0:
			return nil, -1
		case w.HighBits() > 0, w.HighBits() == 0 && int64(w.LowBits()) < 0:
			return nil, 1
		default:
			n = int64(w.LowBits())
		}
	} else {
		n = v.I64[0]
	}
	switch {
	case n < low:
		return nil, -1
	case n > high:
		return nil, 1
	}
	return &zset.Vec{Type: t, Len: 1, I64: []int64{n}}, 0
}

// distinct are the values of an IN, each once.
func (r *run) distinct(k key) []*zset.Vec {
	var out []*zset.Vec
	for _, e := range k.values {
		if v, ok := r.key(k, e); ok {
			out = append(out, v)
		}
	}
	compare := func(a, b *zset.Vec) int { return zset.Compare(a, 0, b, 0) }
	slices.SortFunc(out, compare)
	return slices.CompactFunc(out, func(a, b *zset.Vec) bool { return compare(a, b) == 0 })
}

// Rows are read in pieces: few at first where most may be filtered out or not be needed.
const (
	firstPiece = 128
	lastPiece  = 4096
)

func (r *run) readPrefix() bool {
	c, m := r.choice, r.machine
	if c.one && c.order == 0 {
		if b := r.snap.Get(m.prefix, 0); b != nil {
			r.examined++
			return r.take(b) && r.examined <= MaxRows
		}
		return true
	}
	q := op.Range{Prefix: m.prefix, Desc: c.desc && c.sorted}
	var none bool
	if q.Lower, none = r.end(c.lower, -1); none {
		return true
	}
	if q.Upper, none = r.end(c.upper, 1); none {
		return true
	}
	stops := c.sorted && r.need <= MaxRows
	size := lastPiece
	if stops {
		size = firstPiece
		if len(c.residual) == 0 {
			size = min(max(r.need-r.found, 1), lastPiece)
		}
	}
	for {
		if r.examined >= MaxRows {
			return false
		}
		q.Limit = min(size, MaxRows-r.examined)
		b, next := r.snap.Range(c.order, q)
		r.examined += b.Rows()
		if b != nil && (!r.ordered(b) || !r.take(b)) {
			return false
		}
		if next == nil || stops && r.found >= r.need {
			return true
		}
		q.From, size = next, min(4*size, lastPiece)
	}
}

// end is one end of a range; none says that there is nothing within it. side is -1 for the lower end.
func (r *run) end(b *bound, side int) (end *op.Bound, none bool) {
	if b == nil {
		return nil, false
	}
	v := r.value(b.value)
	if v.Null(0) {
		return nil, true
	}
	if !b.narrows {
		return &op.Bound{Value: v, Inclusive: b.inclusive}, false
	}
	t := r.plan.columns[r.choice.orders[r.choice.order].Columns[len(r.choice.prefix)]].Type
	out, off := narrow(v, t)
	switch off {
	case 0:
		return &op.Bound{Value: out, Inclusive: b.inclusive}, false
	case -side:
		return nil, true
	}
	// Beyond the type's own end: all but NULL.
	low, high, _ := span(t.Kind)
	if side > 0 {
		low = high
	}
	return &op.Bound{Value: &zset.Vec{Type: t, Len: 1, I64: []int64{low}}, Inclusive: true}, false
}

// ordered reports whether rows that were read backwards have no NULL where the query wants it last.
func (r *run) ordered(b *zset.Batch) bool {
	for _, column := range r.choice.last {
		if v := b.Cols[column]; v.Valid != nil {
			for i := range b.N {
				if v.Null(i) {
					return false
				}
			}
		}
	}
	return true
}

// take keeps the rows of a piece that satisfy what is left to test.
func (r *run) take(b *zset.Batch) bool {
	if f := r.machine.filter; f != nil {
		cols, failures, err := f.Eval(b)
		if err != nil || len(failures) > 0 {
			return false
		}
		sel := make([]int32, 0, b.N)
		for i := range b.N {
			if !cols[0].Null(i) && cols[0].I64[i] != 0 {
				sel = append(sel, int32(i))
			}
		}
		if len(sel) < b.N {
			if b = zset.GatherBatch(b, sel); b == nil {
				return true
			}
		}
	}
	r.found += b.N
	for _, w := range b.W {
		r.found += int(min(max(w, 0), MaxRows)) - 1
	}
	r.pieces = append(r.pieces, b)
	return r.found <= MaxRows || r.choice.sorted && r.need <= MaxRows
}
