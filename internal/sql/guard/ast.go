package guard

import (
	"encoding/json"
	"strings"

	"leat/internal/types"
)

// node is one object of DuckDB's AST. Numbers are json.Number, so that what is written back is what was read.
type node = map[string]any

func decode(ast string) ([]any, error) {
	d := json.NewDecoder(strings.NewReader(ast))
	d.UseNumber()
	var root node
	if err := d.Decode(&root); err != nil {
		return nil, types.Errorf(types.QueryTooComplex, "the statement nests too deeply: %w", err)
	}
	statements, ok := root["statements"].([]any)
	if !ok {
		return nil, types.Errorf(types.Internal, "DuckDB's AST has no statements")
	}
	return statements, nil
}

func str(n node, key string) string {
	s, _ := n[key].(string)
	return s
}

func child(n node, key string) node {
	c, _ := n[key].(node)
	return c
}

func list(n node, key string) []any {
	l, _ := n[key].([]any)
	return l
}

func items(n node, key string) []node {
	l := list(n, key)
	out := make([]node, 0, len(l))
	for _, v := range l {
		if c, ok := v.(node); ok {
			out = append(out, c)
		}
	}
	return out
}

// names returns the parts of a column reference, or nil.
func names(n node) []string {
	if str(n, "class") != "COLUMN_REF" {
		return nil
	}
	var out []string
	for _, v := range list(n, "column_names") {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}

// location is the byte offset of a node in the text, -1 if DuckDB kept none.
func location(n node) int {
	v, _ := n["query_location"].(json.Number)
	i, err := v.Int64()
	if err != nil || i < 0 {
		return -1
	}
	return int(i)
}

// each visits v and all below it; visit returns false to stay out of a node.
func each(v any, visit func(node) bool) {
	switch v := v.(type) {
	case node:
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

// Kinds of nodes by their "type". What is in none of these sets and no expression is refused: a new DuckDB may know more.
var (
	queryNodes = set("SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE CTE_NODE")
	modifiers  = set("LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER ORDER_MODIFIER DISTINCT_MODIFIER")
	orders     = set("ORDER_DEFAULT ASCENDING DESCENDING INVALID")
	classes    = set("CASE CAST COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION OPERATOR STAR SUBQUERY WINDOW PARAMETER COLLATE LAMBDA BETWEEN DEFAULT POSITIONAL_REFERENCE LAMBDA_REF TYPE")
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
