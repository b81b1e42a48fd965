package pipeline

import (
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
}

// group is the views of one pipeline: a root and those built on it. Its ID is the root's.
type group struct {
	id    types.ObjectID
	views []Definition
}

// groups divides views into pipelines. A view that reads nothing but views of one pipeline joins it; any other is a root, and gets private
// copies of the plans of the views that it reads: so every view is a function of one vector of offsets.
func groups(defs []Definition) []group {
	var out []group
	home := map[types.ObjectID]int{}
	alone := map[types.ObjectID]plan.Node{} // each view's plan over streams and tables only
	for _, d := range defs {
		alone[d.ID] = inline(d.Plan, alone)
		if g, ok := parents(d.Plan, home); ok {
			home[d.ID] = g
			out[g].views = append(out[g].views, d)
			continue
		}
		home[d.ID] = len(out)
		root := d
		root.Plan = alone[d.ID]
		out = append(out, group{id: d.ID, views: []Definition{root}})
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

// inline puts the plans of views in the place of their scans.
func inline(n plan.Node, views map[types.ObjectID]plan.Node) plan.Node {
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		s, ok := n.(*plan.Scan)
		if !ok || s.Relation.Kind != plan.ViewRelation {
			return n
		}
		below := views[s.Relation.ID]
		p := &plan.Project{Input: below, Out: s.Out}
		for i, c := range s.Columns {
			p.Exprs = append(p.Exprs, plan.Col(c, s.Out[i].Type))
		}
		return p
	})
}
