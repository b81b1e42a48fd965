package lower

import (
	"math"
	"slices"

	"leat/internal/engine/expr"
	"leat/internal/engine/op"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

func typesOfExprs(es []*plan.Expr) []types.Type {
	out := make([]types.Type, len(es))
	for i, e := range es {
		out[i] = e.Type
	}
	return out
}

// operands collects the expressions that an operator takes as columns, each once.
type operands struct {
	exprs []*plan.Expr
	index map[string]int
}

// add returns the column of e.
func (o *operands) add(e *plan.Expr) int {
	if o.index == nil {
		o.index = map[string]int{}
	}
	key := e.String() + "::" + e.Type.String()
	if i, ok := o.index[key]; ok {
		return i
	}
	o.index[key] = len(o.exprs)
	o.exprs = append(o.exprs, e)
	return len(o.exprs) - 1
}

// over returns operands that begin with all columns of an input.
func over(fields []plan.Field) *operands {
	o := &operands{}
	for i, f := range fields {
		o.add(plan.Col(i, f.Type))
	}
	return o
}

func (l *lowerer) clock(n plan.Node) op.Clock {
	key, delay := l.facts.Clock(n)
	return op.Clock{Key: key, Delay: delay}
}

func (l *lowerer) aggregate(n *plan.Aggregate) (node, error) {
	if s := l.findSession(n); s != nil {
		return l.sessionGroups(n, s)
	}
	in, err := l.node(n.Input)
	if err != nil {
		return node{}, err
	}
	var o operands
	cfg := op.AggregateConfig{Global: n.Global, Clock: l.clock(n), AppendOnly: l.facts.Of(n.Input).AppendOnly}
	for _, g := range n.Groups {
		cfg.Groups = append(cfg.Groups, o.add(g))
	}
	if cfg.Aggs, err = aggregates(n, &o); err != nil {
		return node{}, err
	}
	if in, err = l.compute(in, o.exprs); err != nil {
		return node{}, err
	}
	cfg.Types = in.types
	agg, err := op.NewAggregate(cfg, l.table)
	if err != nil {
		return node{}, err
	}
	return l.add("aggregate", agg, typesOf(n.Out), in), nil
}

// aggregates returns how n's aggregates are to be computed, over the columns of o.
func aggregates(n *plan.Aggregate, o *operands) ([]op.AggConfig, error) {
	var out []op.AggConfig
	for _, a := range n.Aggs {
		c := op.AggConfig{Name: a.Name, Distinct: a.Distinct, Filter: -1, Type: a.Type}
		if len(a.Order) > 0 {
			return nil, types.Errorf(types.Unsupported, "ORDER BY within %s() is not supported in views yet", a.Name)
		}
		for _, arg := range a.Args {
			c.Args = append(c.Args, o.add(guarded(arg, a.Filter)))
		}
		if a.Filter != nil {
			c.Filter = o.add(a.Filter)
		}
		out = append(out, c)
	}
	return out, nil
}

// guarded returns the argument of an aggregate such that it can't fail where the aggregate's filter drops the row.
func guarded(arg, filter *plan.Expr) *plan.Expr {
	if filter == nil || !expr.Fallible(arg) {
		return arg
	}
	return &plan.Expr{Kind: plan.Case, Type: arg.Type, Args: []*plan.Expr{filter, arg, plan.Lit(nil, arg.Type)}, Place: arg.Place}
}

func (l *lowerer) topN(n *plan.TopN) (node, error) {
	in, err := l.node(n.Input)
	if err != nil {
		return node{}, err
	}
	width := len(in.types)
	o := over(n.Input.Fields())
	cfg := op.TopNConfig{Ranking: n.Ranking, Limit: n.Limit, Offset: n.Offset, Number: n.Number, Clock: l.clock(n),
		AppendOnly: l.facts.Of(n.Input).AppendOnly}
	for _, p := range n.Partition {
		cfg.Partition = append(cfg.Partition, o.add(p))
	}
	for _, k := range n.Order {
		cfg.Order = append(cfg.Order, op.Order{Column: o.add(k.Expr), Desc: k.Desc, NullsFirst: k.NullsFirst})
	}
	if in, err = l.compute(in, o.exprs); err != nil {
		return node{}, err
	}
	cfg.Types = in.types
	top, err := op.NewTopN(cfg, l.table)
	if err != nil {
		return node{}, err
	}
	ts := slices.Clone(in.types)
	keep := firstN(width)
	if n.Number {
		keep = append(keep, len(ts))
		ts = append(ts, types.Of(types.BigInt))
	}
	return l.pick(l.add("top n", top, ts, in), keep), nil
}

func firstN(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func (l *lowerer) window(n *plan.Window) (node, error) {
	in, err := l.node(n.Input)
	if err != nil {
		return node{}, err
	}
	var o op.Op
	switch n.Kind {
	case plan.Session:
		o, err = l.session(n, in.types, opt.WatermarkColumn(n.Input.Fields()))
	case plan.CountWindow:
		o, err = op.NewCountWindow(n, in.types, l.table)
	default:
		o, err = op.NewWindow(n, in.types)
	}
	if err != nil {
		return node{}, err
	}
	out := l.add("window", o, typesOf(n.Out), in)
	if s := l.identified[n]; s != nil {
		s.node = out
	}
	return out, nil
}

func (l *lowerer) emitOnClose(n *plan.EmitOnClose) (node, error) {
	in, err := l.node(n.Input)
	if err != nil {
		return node{}, err
	}
	t := l.facts.Of(n.Input).TimeOf(n.Time)
	if !t.Timed() {
		return node{}, types.Errorf(types.Internal, "BUG: EMIT ON WINDOW CLOSE by a column without a watermark")
	}
	o, err := op.NewEmitOnClose(in.types, n.Time, t.Delay(), l.table)
	if err != nil {
		return node{}, err
	}
	return l.add("emit on window close", o, in.types, in), nil
}

func (l *lowerer) join(n *plan.Join) (node, error) {
	left, err := l.node(n.L)
	if err != nil {
		return node{}, err
	}
	right, err := l.node(n.R)
	if err != nil {
		return node{}, err
	}
	lo, ro := over(n.L.Fields()), over(n.R.Fields())
	lw, rw := len(left.types), len(right.types)
	cfg := op.JoinConfig{Kind: n.Kind, Band: n.Band, Clock: l.clock(n),
		LeftAppendOnly: l.facts.Of(n.L).AppendOnly, RightAppendOnly: l.facts.Of(n.R).AppendOnly}
	cfg.LeftSlack, cfg.RightSlack = l.slacks(n)
	for _, k := range n.Keys {
		cfg.LeftKeys, cfg.RightKeys = append(cfg.LeftKeys, lo.add(k.Left)), append(cfg.RightKeys, ro.add(k.Right))
		cfg.NullSafe = append(cfg.NullSafe, k.NullSafe)
	}
	if left, err = l.compute(left, lo.exprs); err != nil {
		return node{}, err
	}
	if right, err = l.compute(right, ro.exprs); err != nil {
		return node{}, err
	}
	cfg.LeftTypes, cfg.RightTypes = left.types, right.types
	if n.Residual != nil {
		added := len(left.types) - lw
		shifted := n.Residual.Map(func(c *plan.Expr) *plan.Expr {
			if c.Index < lw {
				return c
			}
			return plan.Col(c.Index+added, c.Type)
		})
		if cfg.Residual, err = l.compile([]*plan.Expr{shifted}); err != nil {
			return node{}, err
		}
	}
	o, err := op.NewJoin(cfg, l.table)
	if err != nil {
		return node{}, err
	}
	return l.joined(n, o, left, right, lw, rw), nil
}

// joined appends a join and drops the key columns that were computed for it: lw and rw are the widths without them.
func (l *lowerer) joined(n *plan.Join, o op.Op, left, right node, lw, rw int) node {
	ts, keep := slices.Clone(left.types), firstN(lw)
	switch n.Kind {
	case plan.Semi, plan.Anti:
	case plan.Mark:
		keep = append(keep, len(ts))
		ts = append(ts, types.Of(types.Boolean))
	default:
		for i := range rw {
			keep = append(keep, len(ts)+i)
		}
		ts = append(ts, right.types...)
	}
	return l.pick(l.add("join", o, ts, left, right), keep)
}

// slacks returns how far behind the watermark times of a band may come: without end where nothing is promised.
func (l *lowerer) slacks(n *plan.Join) (left, right int64) {
	left, right, ok := l.facts.Slacks(n)
	if !ok {
		return math.MaxInt64 / 4, math.MaxInt64 / 4
	}
	return left, right
}
