package guard

import (
	"context"
	"strings"
	"time"

	"leat/internal/types"
)

// cost is what a query makes the planner bind.
type cost struct{ relations, setOps int }

// scope is one CTE and those that were visible to it.
type scope struct {
	outer *scope
	name  string
	cost  cost
	used  bool
}

// checker walks one statement.
type checker struct {
	ctx    context.Context
	guard  *Guard
	cat    Catalog
	text   string
	now    time.Time
	total  cost
	direct []Relation
	// views are the costs of views seen, by name; open are those being expanded.
	views map[string]cost
	open  []string
	// constants are names of expressions and lambda parameters: a column reference to one may stand for a constant.
	constants map[string]bool
	// ctes are the names of all CTEs of the statement.
	ctes map[string]bool
	// windows are the window functions in FROM, tables the relations, shadows the uses of CTEs and entries their definitions.
	windows []windowNode
	tables  []table
	shadows []node
	entries []node
	// names are shared with the checkers of views. rows is set while a SELECT with a FROM is visited, inside within an expression.
	names        *naming
	rows, inside bool
	// depth counts the subqueries around an expression.
	depth int
	// args are the values of parameters where they are judged (CheckArgs), nil where they are not known yet.
	args map[string]any
	// work is what judge found: of expressions that run once, and of those that run for each row.
	work [2]float64
	err  *types.Error
}

func (c *checker) statement(n node) error {
	c.constants, c.ctes = map[string]bool{}, map[string]bool{}
	each(n, func(n node) bool {
		if class := str(n, "class"); class == "LAMBDA" {
			each(n["lhs"], func(p node) bool {
				for _, name := range names(p) {
					c.constants[strings.ToLower(name)] = true
				}
				return true
			})
		} else if alias := str(n, "alias"); class != "" && alias != "" {
			c.constants[strings.ToLower(alias)] = true
		}
		return true
	})
	outermost := c.names == nil
	if outermost {
		c.names = newNaming()
	}
	c.names.collect(n)
	c.query(child(n, "node"), nil)
	if c.err == nil && outermost {
		c.err = c.judge()
	}
	if c.err != nil {
		return c.err
	}
	return nil
}

// fail keeps the first fault, with its place.
func (c *checker) fail(n node, e *types.Error) {
	if c.err == nil {
		c.err = at(c.text, location(n), e)
	}
}

func (c *checker) add(n node, more cost) {
	c.total.relations += more.relations
	c.total.setOps += more.setOps
	if c.total.setOps > MaxSetOps {
		c.fail(n, tooManySetOps())
	}
	if c.total.relations > MaxRelations {
		c.fail(n, types.Errorf(types.QueryTooComplex, "more than %d relations, with views and CTEs expanded", MaxRelations))
	}
}

// measured returns what visit adds to the total.
func (c *checker) measured(visit func()) cost {
	before := c.total
	visit()
	return cost{c.total.relations - before.relations, c.total.setOps - before.setOps}
}

func (c *checker) query(n node, sc *scope) {
	kind := str(n, "type")
	if !queryNodes[kind] {
		c.fail(n, types.Errorf(types.Unsupported, "this form of query (%s) is not supported", kind))
	}
	if c.err != nil {
		return
	}
	if kind == "SET_OPERATION_NODE" || kind == "RECURSIVE_CTE_NODE" {
		// The newest AST has a chain of operations as one node with children instead of left and right.
		c.add(n, cost{setOps: max(1, len(list(n, "children"))-1)})
	}
	if len(list(n, "group_sets")) > MaxSetOps {
		c.fail(n, types.Errorf(types.QueryTooComplex, "more than %d grouping sets", MaxSetOps))
	}
	for _, cte := range items(child(n, "cte_map"), "map") {
		sc = c.cte(cte, sc)
	}
	if kind == "SELECT_NODE" {
		defer func(rows, inside bool) { c.rows, c.inside = rows, inside }(c.rows, c.inside)
		c.rows, c.inside = str(child(n, "from_table"), "type") != "EMPTY", false
		c.width(n)
	}
	for key, v := range n {
		if key != "cte_map" && key != "group_sets" {
			c.visit(v, sc)
		}
	}
}

func (c *checker) cte(entry node, sc *scope) *scope {
	name, value := strings.ToLower(str(entry, "key")), child(entry, "value")
	body := child(child(value, "query"), "node")
	c.ctes[name] = true
	c.entries = append(c.entries, entry)
	defined := &scope{outer: sc, name: name}
	inner := sc
	if str(body, "type") == "RECURSIVE_CTE_NODE" {
		inner = &scope{outer: sc, name: name, cost: cost{relations: 1}, used: true}
	}
	defined.cost = c.measured(func() { c.query(body, inner) })
	c.visit(value["key_targets"], inner)
	return defined
}

// Limits of one select list: its width costs the planner time that no interrupt cuts.
const (
	maxSelected = 5000
	maxStars    = 50
)

func (c *checker) width(n node) {
	selected, stars := items(n, "select_list"), 0
	for _, e := range selected {
		if str(e, "class") == "STAR" {
			stars++
		}
	}
	if len(selected) > maxSelected || stars > maxStars {
		c.fail(n, types.Errorf(types.QueryTooComplex, "more than %d expressions or %d stars in one SELECT", maxSelected, maxStars))
	}
}

// visit checks v and all below it.
func (c *checker) visit(v any, sc *scope) {
	if c.err != nil {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			c.visit(e, sc)
		}
	case node:
		kind, typed := v["type"].(string)
		switch {
		case str(v, "class") != "":
			c.expression(v, sc)
		case queryNodes[kind]:
			c.query(v, sc)
		case !typed || modifiers[kind] || orders[kind]:
			c.below(v, sc)
		default:
			c.relation(v, sc)
		}
	}
}

func (c *checker) below(n node, sc *scope) {
	for key, v := range n {
		if key != "cast_type" {
			c.visit(v, sc)
		} else if t, ok := v.(node); ok {
			c.castType(n, t)
		}
	}
}

func (c *checker) expression(n node, sc *scope) {
	switch class := str(n, "class"); {
	case !classes[class]:
		c.fail(n, types.Errorf(types.Unsupported, "this form of expression (%s) is not supported", class))
	case class == "CONSTANT" || class == "TYPE":
		return
	case class == "FUNCTION" || class == "WINDOW":
		if e := checkFunction(n, false); e != nil {
			c.fail(n, e)
			return
		}
		if class == "FUNCTION" {
			c.size(n, false)
		}
	}
	c.names.varies = c.names.varies || varies(n)
	if !c.inside {
		c.names.roots = append(c.names.roots, root{n, c.text, c.rows})
	}
	defer func(inside bool, depth int) { c.inside, c.depth = inside, depth }(c.inside, c.depth)
	c.inside = true
	if str(n, "class") == "SUBQUERY" {
		if c.depth++; c.depth > maxSubqueries {
			c.fail(n, types.Errorf(types.QueryTooComplex, "subqueries nest deeper than %d in expressions", maxSubqueries).
				WithHint("join instead, or give the steps names by WITH"))
			return
		}
	}
	c.below(n, sc)
}

// naturalCost is what a NATURAL JOIN counts: the planner compares the names of all relations so far.
const naturalCost = 10

// maxSubqueries is how deep subqueries may nest in expressions: DuckDB's decorrelation multiplies with each level.
const maxSubqueries = 8

// relation checks one element of FROM.
func (c *checker) relation(n node, sc *scope) {
	switch kind := str(n, "type"); kind {
	case "BASE_TABLE":
		c.baseTable(n, sc)
	case "TABLE_FUNCTION":
		f := child(n, "function")
		c.add(n, cost{relations: 1})
		if str(f, "class") != "FUNCTION" {
			c.fail(n, types.Errorf(types.Unsupported, "only a function can be called in FROM"))
			return
		}
		if _, ok := windows[strings.ToLower(str(f, "function_name"))]; ok {
			c.window(n, f, sc)
			return
		}
		if e := checkFunction(f, true); e != nil {
			c.fail(f, e)
			return
		}
		c.size(f, true)
		c.below(f, sc)
	case "EXPRESSION_LIST":
		c.add(n, cost{relations: 1})
		c.below(n, sc)
	case "PIVOT":
		c.pivot(n)
		c.below(n, sc)
	case "JOIN":
		if str(n, "ref_type") == "NATURAL" {
			c.add(n, cost{relations: naturalCost})
		}
		c.below(n, sc)
	case "SUBQUERY", "EMPTY":
		c.below(n, sc)
	case "SHOW_REF":
		c.fail(n, types.Errorf(types.NotAllowed, "DESCRIBE, SHOW and SUMMARIZE are not allowed inside a query").
			WithHint("run DESCRIBE or SHOW as a statement of its own"))
	default:
		c.fail(n, types.Errorf(types.Unsupported, "this form of relation (%s) is not supported", kind))
	}
}

// maxPivot is how many columns a PIVOT may make: combinations of the values of its columns.
const maxPivot = 1000

func (c *checker) pivot(n node) {
	columns := 1
	for _, p := range items(n, "pivots") {
		columns *= max(1, len(list(p, "entries")))
		if columns > maxPivot {
			c.fail(n, types.Errorf(types.QueryTooComplex, "PIVOT makes more than %d columns", maxPivot))
			return
		}
	}
}
