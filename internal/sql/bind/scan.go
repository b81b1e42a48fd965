package bind

import (
	"encoding/json"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// get reads a relation.
func (s *session) get(n *tree) (plan.Node, error) {
	var data struct {
		Schema string `json:"schema"`
		Table  string `json:"table"`
	}
	if n.Name != "seq_scan" || json.Unmarshal(n.FunctionData, &data) != nil {
		at := s.locate(func(o object) bool {
			return str(o, "type") == "TABLE_FUNCTION" && str(child(o, "function"), "function_name") == n.Name
		})
		return nil, s.at(at, types.Errorf(types.Unsupported, "the table function %s is not supported in views", n.Name))
	}
	r := s.relations[data.Schema+"."+data.Table]
	if r == nil {
		return nil, types.Errorf(types.Internal, "DuckDB's plan reads %s.%s, which nobody defined", data.Schema, data.Table)
	}
	return scan(r, n), nil
}

// scan reads the columns that DuckDB asks for, in its order.
func scan(r *plan.Relation, n *tree) plan.Node {
	out := &plan.Scan{Relation: r}
	columns := r.Schema.Columns
	hidden := make([]int, len(n.ColumnIndexes))
	var system []plan.Field
	for i, c := range n.ColumnIndexes {
		hidden[i] = -1
		switch {
		case c.Index < uint64(len(columns)):
			out.Columns = append(out.Columns, int(c.Index))
			out.Out = append(out.Out, plan.Field{Name: columns[c.Index].Name, Type: columns[c.Index].Type})
		case c.Index < uint64(len(columns)+len(hiddenColumns)):
			h := int(c.Index) - len(columns)
			hidden[i] = len(out.System)
			out.System = append(out.System, hiddenSystem[h])
			system = append(system, plan.Field{Name: hiddenColumns[h].Name, Type: hiddenColumns[h].Type})
		default:
			// Only the number of rows matters: any column will do.
			out.Columns = append(out.Columns, 0)
			out.Out = append(out.Out, plan.Field{Name: rowID, Type: columns[0].Type})
		}
	}
	out.Out = append(out.Out, system...)
	if len(system) == 0 {
		return out
	}
	p := &plan.Project{Input: out}
	at := 0
	for _, h := range hidden {
		from := at
		if h >= 0 {
			from = len(out.Columns) + h
		} else {
			at++
		}
		p.Exprs = append(p.Exprs, plan.Col(from, out.Out[from].Type))
		p.Out = append(p.Out, out.Out[from])
	}
	return p
}
