package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"leat/internal/engine/op"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Definition is a view to maintain.
type Definition struct {
	ID   types.ObjectID
	Name string
	// Plan is optimised. Its scans read streams, tables and, by their IDs, other views, which stand before this one in the list.
	Plan plan.Node
	// Key are the positions of the view's key columns; nil where none is known.
	Key []int
	// Indexes are at most MaxIndexes.
	Indexes []op.Index
}

// group is the views of one pipeline: a root and those built on it. Its ID is the root's.
type group struct {
	id    types.ObjectID
	views []Definition
	// err says why the root can't run.
	err error
}

// same reports whether two groups have the same views, in plan, key, name, indexes and number of partitions.
func (g group) same(o group) bool {
	return g.err == nil && o.err == nil && slices.EqualFunc(g.views, o.views, func(a, b Definition) bool {
		return a.ID == b.ID && a.Name == b.Name && samePartitions(a.Plan, b.Plan) && sameIndexes(a.Indexes, b.Indexes) && a.digest() == b.digest()
	})
}

func samePartitions(a, b plan.Node) bool {
	return slices.EqualFunc(scans(a), scans(b), func(a, b *plan.Scan) bool { return a.Relation.Partitions == b.Relation.Partitions })
}

// groups divides views into pipelines. A view that reads nothing but views of one pipeline joins it; any other is a root, and gets private
// copies of the plans of the views that it reads: so every view is a function of one vector of offsets.
func groups(defs []Definition) []group {
	var out []group
	home := map[types.ObjectID]int{}
	alone := map[types.ObjectID]plan.Node{} // each view's plan over streams and tables only
	for _, d := range defs {
		whole, missing := inline(d.Plan, alone)
		if missing == "" {
			alone[d.ID] = whole
		}
		if g, ok := parents(d.Plan, home); ok {
			home[d.ID] = g
			out[g].views = append(out[g].views, d)
			continue
		}
		root := group{id: d.ID}
		if missing != "" {
			root.err = types.Errorf(types.Unavailable, "view %s reads %s, which can't run", d.Name, missing)
		} else {
			d.Plan = whole
			home[d.ID] = len(out)
		}
		root.views = []Definition{d}
		out = append(out, root)
	}
	return out
}

// parents returns the one group that all scans of a plan belong to.
func parents(n plan.Node, home map[types.ObjectID]int) (int, bool) {
	found, ok := -1, true
	for _, s := range scans(n) {
		g, known := home[s.Relation.ID]
		if s.Relation.Kind != plan.ViewRelation || !known || found >= 0 && g != found {
			ok = false
			break
		}
		found = g
	}
	return found, ok && found >= 0
}

// reads reports whether a plan scans a view.
func reads(n plan.Node, view types.ObjectID) bool {
	for _, s := range scans(n) {
		if s.Relation.Kind == plan.ViewRelation && s.Relation.ID == view {
			return true
		}
	}
	return false
}

// scans are all scans of a plan.
func scans(n plan.Node) []*plan.Scan {
	var out []*plan.Scan
	plan.Rewrite(n, func(n plan.Node) plan.Node {
		if s, ok := n.(*plan.Scan); ok {
			out = append(out, s)
		}
		return n
	})
	return out
}

// inline puts the plans of views in the place of their scans; missing is the name of a view that there is none of.
func inline(n plan.Node, views map[types.ObjectID]plan.Node) (whole plan.Node, missing string) {
	whole = plan.Rewrite(n, func(n plan.Node) plan.Node {
		s, ok := n.(*plan.Scan)
		if !ok || s.Relation.Kind != plan.ViewRelation {
			return n
		}
		below := views[s.Relation.ID]
		if below == nil {
			missing = s.Relation.Name
			return n
		}
		p := &plan.Project{Input: below, Out: s.Out}
		for i, c := range s.Columns {
			p.Exprs = append(p.Exprs, plan.Col(c, s.Out[i].Type))
		}
		return p
	})
	return whole, missing
}

// isLog reports whether the view's rows are never retracted and have no key: then they are kept in the order in which they come.
func (d *Definition) isLog() bool { return d.Key == nil && opt.Infer(d.Plan).AppendOnly }

// digest names what a view's state belongs to: its plan and its key. Relations and their columns count by ID and all other columns by their
// place, so renaming changes nothing.
func (d *Definition) digest() string {
	nameless := plan.Rewrite(d.Plan, unnamed)
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%v %v %v\n", plan.String(nameless), d.Key, d.Key == nil, d.isLog())
	for _, f := range d.Plan.Fields() {
		fmt.Fprintln(h, f.Type)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// unnamed is a node without the names that a user gave.
func unnamed(n plan.Node) plan.Node {
	blank := func(out []plan.Field) []plan.Field {
		out = append([]plan.Field(nil), out...)
		for i := range out {
			out[i].Name = "c"
		}
		return out
	}
	switch n := n.(type) {
	case *plan.Scan:
		c := *n
		c.Relation, c.Out = byID(n.Relation), blank(n.Out)
		return &c
	case *plan.Values:
		c := *n
		c.Out = blank(n.Out)
		return &c
	case *plan.Project:
		c := *n
		c.Out = blank(n.Out)
		return &c
	case *plan.Join:
		c := *n
		c.Out = blank(n.Out)
		return &c
	case *plan.Aggregate:
		c := *n
		c.Out = blank(n.Out)
		return &c
	case *plan.Union:
		c := *n
		c.Out = blank(n.Out)
		return &c
	case *plan.TopN:
		c := *n
		c.Out = blank(n.Out)
		return &c
	case *plan.Window:
		c := *n
		c.Out = blank(n.Out)
		return &c
	}
	return n
}

// byID is a relation whose names are made of what decides how its rows are kept.
func byID(r *plan.Relation) *plan.Relation {
	c := *r
	c.Name = fmt.Sprintf("%d/%d %v %d", r.Kind, r.ID, r.Key, r.VersionColumn)
	if r.View != nil {
		c.Name += fmt.Sprintf(" %+v", *r.View)
	}
	c.Schema = &types.Schema{Columns: append([]types.Column(nil), r.Schema.Columns...)}
	for i := range c.Schema.Columns {
		col := &c.Schema.Columns[i]
		col.Name = fmt.Sprintf("%d %s", col.ID, col.Type)
	}
	return &c
}

// usesNow reports whether a plan asks for the time.
func usesNow(n plan.Node) bool {
	found := false
	look := func(e *plan.Expr) {
		e.Walk(func(e *plan.Expr) bool {
			found = found || e.Kind == plan.Call && e.Name == "now"
			return !found
		})
	}
	plan.Rewrite(n, func(n plan.Node) plan.Node {
		for _, e := range expressions(n) {
			look(e)
		}
		return n
	})
	return found
}

// expressions are those of one node.
func expressions(n plan.Node) []*plan.Expr {
	var out []*plan.Expr
	switch n := n.(type) {
	case *plan.Values:
		for _, r := range n.Rows {
			out = append(out, r...)
		}
	case *plan.Filter:
		out = append(out, n.Cond)
	case *plan.Project:
		out = append(out, n.Exprs...)
	case *plan.Join:
		for _, k := range n.Keys {
			out = append(out, k.Left, k.Right)
		}
		out = append(out, n.Residual)
	case *plan.Aggregate:
		out = append(out, n.Groups...)
		for _, a := range n.Aggs {
			out = append(append(out, a.Args...), a.Filter)
			out = appendOrder(out, a.Order)
		}
	case *plan.TopN:
		out = appendOrder(append(out, n.Partition...), n.Order)
	}
	return out
}

func appendOrder(out []*plan.Expr, keys []plan.SortKey) []*plan.Expr {
	for _, k := range keys {
		out = append(out, k.Expr)
	}
	return out
}
