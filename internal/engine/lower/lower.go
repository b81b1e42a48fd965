// Package lower turns plans into circuits: operators for nodes, programs for expressions, tables of state for operators.
package lower

import (
	"fmt"

	"leat/internal/engine/circuit"
	"leat/internal/engine/expr"
	"leat/internal/engine/op"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/types"
)

// MaxTables is how many tables one view has at most: View.Tables of the views in one store are that far apart.
const MaxTables = 1 << 16

// View is one plan to run.
type View struct {
	// ID is what Scans of this view name; 0 where there are none.
	ID types.ObjectID
	// Plan must be optimised (sql/opt): what is wrong in the plan's time would be freed too late or never.
	Plan plan.Node
	// Tables is the ID of the view's first table of state. The view's tables follow in an order that the plan alone decides, so the same
	// plan finds its state again.
	Tables state.TableID
}

// Lowered is a circuit and the tables that it uses.
type Lowered struct {
	Circuit *circuit.Circuit
	// Tables are those of each view.
	Tables [][]state.TableID
	// Names are what the columns of a node's only input are called, for messages about its rows; nodes may be missing.
	Names map[circuit.NodeID][]string
}

// Lower builds the circuit of views, each after those that it scans; root i of the circuit is views[i]. A view that is scanned and not in the
// list is a source, like a stream. Expressions without a kernel go to
// ev; nil means that there is none.
func Lower(views []View, store state.Store, ev expr.Evaluator) (*Lowered, error) {
	l := &lowerer{store: store, ev: ev, sources: map[types.ObjectID]*source{}, views: map[types.ObjectID]node{}, inside: map[types.ObjectID]bool{}, facts: opt.NewFacts(), names: map[circuit.NodeID][]string{}}
	for _, v := range views {
		l.inside[v.ID] = v.ID != 0
	}
	for _, v := range views {
		l.collect(v.Plan, map[plan.Node]bool{})
	}
	l.addSources()
	out := &Lowered{Names: l.names}
	for _, v := range views {
		tables, err := l.view(v)
		if err != nil {
			return nil, err
		}
		out.Tables = append(out.Tables, tables)
	}
	out.Circuit = l.b.Build()
	return out, nil
}

// node is a node of the circuit and its columns.
type node struct {
	id    circuit.NodeID
	types []types.Type
}

type lowerer struct {
	store   state.Store
	ev      expr.Evaluator
	b       circuit.Builder
	facts   *opt.Facts
	sources map[types.ObjectID]*source
	order   []*source
	views   map[types.ObjectID]node
	inside  map[types.ObjectID]bool // the views of the circuit
	names   map[circuit.NodeID][]string

	// Of the view under work.
	base   state.TableID
	tables []state.TableID
	done   map[plan.Node]node
	uses   map[plan.Node]int
	rows   map[types.ObjectID]node
	// identified are the sessions whose rows carry IDs.
	identified map[plan.Node]*sessionNode
}

func (l *lowerer) view(v View) ([]state.TableID, error) {
	l.base, l.tables = v.Tables, nil
	l.done, l.uses, l.rows = map[plan.Node]node{}, map[plan.Node]int{}, map[types.ObjectID]node{}
	l.identified = map[plan.Node]*sessionNode{}
	l.count(v.Plan)
	n, err := l.node(v.Plan)
	if err != nil {
		return nil, err
	}
	if v.ID != 0 {
		l.views[v.ID] = n
	}
	l.b.Root(n.id)
	return l.tables, nil
}

func (l *lowerer) count(n plan.Node) {
	if l.uses[n]++; l.uses[n] > 1 {
		return
	}
	for _, in := range n.Inputs() {
		l.count(in)
	}
}

// table hands out the view's next table.
func (l *lowerer) table() state.Table {
	if len(l.tables) == MaxTables {
		panic("BUG: a view with more tables than its range has")
	}
	id := l.base + state.TableID(len(l.tables))
	l.tables = append(l.tables, id)
	return l.store.Table(id)
}

// node lowers n once.
func (l *lowerer) node(n plan.Node) (node, error) {
	if d, ok := l.done[n]; ok {
		return d, nil
	}
	d, err := l.lower(n)
	if err != nil {
		return node{}, err
	}
	l.done[n] = d
	l.name(d.id, n)
	return d, nil
}

// name notes what the columns of the input of n, lowered to a node, are called, unless that node's input is another.
func (l *lowerer) name(id circuit.NodeID, n plan.Node) {
	in := n.Inputs()
	if l.names[id] != nil || len(in) != 1 {
		return
	}
	l.names[id] = fieldNames(in[0].Fields(), nil)
}

// fieldNames are the names of fields at positions, nil for all.
func fieldNames(fields []plan.Field, at []int) []string {
	var out []string
	if at == nil {
		for _, f := range fields {
			out = append(out, f.Name)
		}
	}
	for _, i := range at {
		out = append(out, fields[i].Name)
	}
	return out
}

func (l *lowerer) lower(n plan.Node) (node, error) {
	switch n := n.(type) {
	case *plan.Scan:
		return l.scan(n)
	case *plan.Values:
		return l.values(n)
	case *plan.Filter:
		return l.filter(n, nil)
	case *plan.Project:
		return l.project(n)
	case *plan.Join:
		return l.join(n)
	case *plan.Aggregate:
		return l.aggregate(n)
	case *plan.Union:
		return l.union(n)
	case *plan.TopN:
		return l.topN(n)
	case *plan.Window:
		return l.window(n)
	case *plan.EmitOnClose:
		return l.emitOnClose(n)
	}
	return node{}, types.Errorf(types.Unsupported, "views can't do this yet: %T", n)
}

// add appends an operator whose output has columns of these types.
func (l *lowerer) add(name string, o op.Op, ts []types.Type, inputs ...node) node {
	ids := make([]circuit.NodeID, len(inputs))
	for i, in := range inputs {
		ids[i] = in.id
	}
	return node{l.b.Op(name, o, ids...), ts}
}

// pick narrows a node to columns, in that order; nothing happens where they are all of its.
func (l *lowerer) pick(in node, cols []int) node {
	if isIdentity(cols, len(in.types)) {
		return in
	}
	return l.add("columns", op.NewSelect(cols), typesAt(in.types, cols), in)
}

func isIdentity(cols []int, width int) bool {
	if len(cols) != width {
		return false
	}
	for i, c := range cols {
		if c != i {
			return false
		}
	}
	return true
}

func typesAt(ts []types.Type, cols []int) []types.Type {
	out := make([]types.Type, len(cols))
	for i, c := range cols {
		out[i] = ts[c]
	}
	return out
}

func typesOf(fields []plan.Field) []types.Type {
	out := make([]types.Type, len(fields))
	for i, f := range fields {
		out[i] = f.Type
	}
	return out
}

func (l *lowerer) compile(es []*plan.Expr) (*expr.Program, error) {
	p, err := expr.Compile(es, l.ev)
	if err != nil {
		return nil, fmt.Errorf("compile expressions: %w", err)
	}
	return p, nil
}
