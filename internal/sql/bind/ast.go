package bind

import (
	"encoding/json"
	"strings"

	"leat/internal/types"
)

// object is one object of DuckDB's AST.
type object = map[string]any

// statementOf reads the one SELECT of an AST.
func statementOf(ast string) (object, error) {
	d := json.NewDecoder(strings.NewReader(ast))
	d.UseNumber()
	var root object
	if err := d.Decode(&root); err != nil {
		return nil, types.Errorf(types.QueryTooComplex, "the statement nests too deeply: %w", err)
	}
	statements := objects(root, "statements")
	if len(statements) != 1 {
		return nil, types.Errorf(types.NotAllowed, "expected one SELECT, found %d statements", len(statements))
	}
	return child(statements[0], "node"), nil
}

func str(n object, key string) string {
	s, _ := n[key].(string)
	return s
}

func child(n object, key string) object {
	c, _ := n[key].(object)
	return c
}

func objects(n object, key string) []object {
	l, _ := n[key].([]any)
	out := make([]object, 0, len(l))
	for _, v := range l {
		if c, ok := v.(object); ok {
			out = append(out, c)
		}
	}
	return out
}

// location is the byte offset of a node, -1 if DuckDB kept none.
func location(n object) int {
	v, _ := n["query_location"].(json.Number)
	i, err := v.Int64()
	if err != nil || i < 0 {
		return -1
	}
	return int(i)
}

// each visits v and all below it; visit returns false to stay out of a node.
func each(v any, visit func(object) bool) {
	switch v := v.(type) {
	case object:
		if !visit(v) {
			return
		}
		for _, c := range v {
			each(c, visit)
		}
	case []any:
		for _, c := range v {
			each(c, visit)
		}
	}
}

var queryNodes = map[string]bool{"SELECT_NODE": true, "SET_OPERATION_NODE": true, "RECURSIVE_CTE_NODE": true, "CTE_NODE": true}
