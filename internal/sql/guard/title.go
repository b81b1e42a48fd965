package guard

import (
	"context"
	"encoding/json"
	"strings"

	"leat/internal/types"
)

// nameColumns gives columns of a result that are subqueries the names that they have without filters: DuckDB names them by their text, which would
// else be that of the filters.
func (g *Guard) nameColumns(ctx context.Context, query node) error {
	for str(query, "type") == "SET_OPERATION_NODE" { // its names are those of its first SELECT
		first := child(query, "left")
		if all := items(query, "children"); len(all) > 0 {
			first = all[0]
		}
		query = first
	}
	for _, e := range items(query, "select_list") {
		if str(e, "alias") != "" || !hasSubquery(e) {
			continue
		}
		statement, err := g.parse(ctx, "SELECT 1")
		if err != nil {
			return err
		}
		child(statement, "node")["select_list"] = []any{e}
		ast, err := json.Marshal(node{"error": false, "statements": []any{statement}})
		if err != nil {
			return types.Errorf(types.Internal, "writing the AST: %w", err)
		}
		text, err := g.ser.DeserializeSQL(ctx, string(ast))
		if err != nil {
			return err
		}
		e["alias"] = strings.TrimPrefix(text, "SELECT ")
	}
	return nil
}

func hasSubquery(e node) bool {
	found := false
	each(e, func(n node) bool {
		found = found || str(n, "class") == "SUBQUERY"
		return !found
	})
	return found
}
