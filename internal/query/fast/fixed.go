package fast

import (
	"slices"
	"strings"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
)

// Fixed are columns of the relation, by position, and the one value of each that all rows have which a run with these arguments can read: a change
// of other rows changes nothing in its answer. There may be more such columns than it finds.
func (p *Plan) Fixed(args map[string]any) (columns []int, values []*zset.Vec) {
	for c := range p.columns {
		k, ok := p.equals(c, false)
		if !ok || k.values[0].Kind != plan.Param || p.columns[c].Type.Kind.IsNested() {
			continue
		}
		a := p.Params[k.values[0].Index]
		given, ok := args[a.Name]
		if !ok {
			given, ok = args[strings.ToLower(a.Name)]
		}
		v := &zset.Vec{Type: a.Type, Len: 1}
		if !ok || !set(v, given) || v.Null(0) && !k.nulls {
			continue
		}
		if k.narrows && !v.Null(0) {
			narrowed, off := narrow(v, p.columns[c].Type)
			if off != 0 {
				continue
			}
			v = narrowed
		}
		if v.Null(0) {
			v = zset.Nulls(p.columns[c].Type, 1)
		}
		if v.Type.Equal(p.columns[c].Type) {
			columns, values = append(columns, c), append(values, v)
		}
	}
	return columns, values
}

// Output is the place in the result of a column of the relation that it has as it is; -1 where there is none.
func (p *Plan) Output(column int) int {
	return slices.IndexFunc(p.exprs, func(e *plan.Expr) bool { return e.Kind == plan.Column && e.Index == column })
}
