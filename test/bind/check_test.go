package bind

import (
	"fmt"

	"leat/internal/sql/plan"
)

// check reports the first unsound node: an expression beyond its input's columns or of another type, outputs that don't fit.
func check(n plan.Node, seen map[plan.Node]bool) error {
	if seen[n] {
		return nil
	}
	seen[n] = true
	for _, in := range n.Inputs() {
		if err := check(in, seen); err != nil {
			return err
		}
	}
	if err := checkNode(n); err != nil {
		return fmt.Errorf("%s: %w", plan.Line(n), err)
	}
	return nil
}

func checkNode(n plan.Node) error {
	switch n := n.(type) {
	case *plan.Scan:
		return width(n, len(n.Columns)+len(n.System))
	case *plan.Filter:
		return over(n.Input.Fields(), n.Cond)
	case *plan.Project:
		if err := over(n.Input.Fields(), n.Exprs...); err != nil {
			return err
		}
		for i, e := range n.Exprs {
			if !e.Type.Equal(n.Out[i].Type) {
				return fmt.Errorf("column %d is %s, not %s", i, e.Type, n.Out[i].Type)
			}
		}
		return width(n, len(n.Exprs))
	case *plan.Join:
		return checkJoin(n)
	case *plan.Aggregate:
		if err := over(n.Input.Fields(), n.Groups...); err != nil {
			return err
		}
		for _, a := range n.Aggs {
			if err := over(n.Input.Fields(), append(append([]*plan.Expr{a.Filter}, a.Args...), sorted(a.Order)...)...); err != nil {
				return err
			}
		}
		return width(n, len(n.Groups)+len(n.Aggs))
	case *plan.TopN:
		added := 0
		if n.Number {
			added = 1
		}
		if err := over(n.Input.Fields(), append(sorted(n.Order), n.Partition...)...); err != nil {
			return err
		}
		return width(n, len(n.Input.Fields())+added)
	case *plan.Window:
		return width(n, len(n.Input.Fields())+2)
	case *plan.Union:
		for _, s := range n.Sources {
			for i, f := range s.Fields() {
				if !f.Type.Equal(n.Out[i].Type) {
					return fmt.Errorf("column %d of a union is %s, not %s", i, f.Type, n.Out[i].Type)
				}
			}
		}
	}
	return nil
}

func checkJoin(n *plan.Join) error {
	l, r := n.L.Fields(), n.R.Fields()
	for _, k := range n.Keys {
		if err := over(l, k.Left); err != nil {
			return err
		}
		if err := over(r, k.Right); err != nil {
			return err
		}
		if !k.Left.Type.Equal(k.Right.Type) {
			return fmt.Errorf("a key is %s and %s", k.Left.Type, k.Right.Type)
		}
	}
	want := len(l) + len(r)
	switch n.Kind {
	case plan.Semi, plan.Anti:
		want = len(l)
	case plan.Mark:
		want = len(l) + 1
	}
	if err := width(n, want); err != nil {
		return err
	}
	return over(append(append([]plan.Field(nil), l...), r...), n.Residual)
}

func sorted(keys []plan.SortKey) []*plan.Expr {
	var out []*plan.Expr
	for _, k := range keys {
		out = append(out, k.Expr)
	}
	return out
}

func width(n plan.Node, want int) error {
	if len(n.Fields()) != want {
		return fmt.Errorf("%d columns, not %d", len(n.Fields()), want)
	}
	return nil
}

func over(in []plan.Field, exprs ...*plan.Expr) (err error) {
	for _, e := range exprs {
		e.Walk(func(e *plan.Expr) bool {
			if e.Kind == plan.Column && (e.Index < 0 || e.Index >= len(in)) {
				err = fmt.Errorf("column %d of %d", e.Index, len(in))
			} else if e.Kind == plan.Column && !e.Type.Equal(in[e.Index].Type) {
				err = fmt.Errorf("column %d is %s, not %s", e.Index, in[e.Index].Type, e.Type)
			}
			return true
		})
	}
	return err
}
