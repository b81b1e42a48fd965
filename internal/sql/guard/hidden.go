package guard

import (
	"strings"

	"leat/internal/types"
)

// hidden are the columns that queries may name though * leaves them out. They are in a relation's wide view, name$leat.
var hidden = set("_leat_offset _leat_partition _leat_received_at")

// wideSuffix makes the name of a relation's wide view.
const wideSuffix = "$leat"

func isHidden(n node) bool {
	for _, name := range names(n) {
		if hidden[strings.ToLower(name)] {
			return true
		}
	}
	return false
}

func mentionsHidden(v any) bool {
	found := false
	each(v, func(n node) bool {
		found = found || isHidden(n)
		return !found
	})
	return found
}

// exposeHidden makes every SELECT that names a hidden column, itself or in a subquery of its expressions, read the wide views
// and keep the hidden columns out of its stars.
func (c *checker) exposeHidden(statement node) error {
	each(statement, func(n node) bool {
		if str(n, "type") == "SELECT_NODE" && namesHidden(n) {
			c.exposeIn(n)
		}
		return true
	})
	if c.err != nil {
		return c.err
	}
	return nil
}

// namesHidden looks at the expressions of a SELECT and the conditions of its joins, not at the subqueries of FROM.
func namesHidden(n node) bool {
	for key, v := range n {
		if key != "from_table" && key != "cte_map" && mentionsHidden(v) {
			return true
		}
	}
	found := false
	each(n["from_table"], func(r node) bool {
		if str(r, "type") == "SUBQUERY" && str(r, "class") == "" {
			return false
		}
		found = found || isHidden(r)
		return !found
	})
	return found
}

func (c *checker) exposeIn(n node) {
	wide := map[string]bool{}
	each(n["from_table"], func(r node) bool {
		switch kind := str(r, "type"); {
		case str(r, "class") != "" || kind == "SUBQUERY":
			return false
		case kind == "JOIN" && str(r, "ref_type") == "NATURAL":
			c.fail(r, types.Errorf(types.Unsupported, "NATURAL JOIN beside a hidden column would join on it").WithHint("write JOIN ... USING (columns)"))
		case kind == "BASE_TABLE":
			c.widen(r, wide)
		}
		return true
	})
	each(n["select_list"], func(e node) bool {
		if queryNodes[str(e, "type")] {
			return false
		}
		if str(e, "class") == "STAR" && len(wide) > 0 {
			excludeHidden(e, wide)
		}
		return true
	})
}

// widen turns a stream or table into its wide view under its own name.
func (c *checker) widen(r node, wide map[string]bool) {
	rel, ok := c.lookup(r)
	if !ok || rel.Query != "" {
		return
	}
	if str(r, "alias") == "" {
		r["alias"] = str(r, "table_name")
	}
	r["table_name"] = strings.ToLower(str(r, "table_name")) + wideSuffix
	wide[strings.ToLower(str(r, "alias"))] = true
}

// lookup finds the relation that a name in FROM was resolved to; a CTE's name hides one.
func (c *checker) lookup(r node) (Relation, bool) {
	if c.ctes[strings.ToLower(str(r, "table_name"))] && str(r, "schema_name") == "" {
		return Relation{}, false
	}
	rel, err := c.resolve(r, strings.ToLower(str(r, "schema_name")), strings.ToLower(str(r, "table_name")))
	return rel, err == nil
}

func excludeHidden(star node, wide map[string]bool) {
	if of := strings.ToLower(str(star, "relation_name")); of != "" && !wide[of] {
		return
	}
	exclude := list(star, "exclude_list")
	present := map[string]bool{}
	for _, v := range exclude {
		s, _ := v.(string)
		present[strings.ToLower(s)] = true
	}
	for _, name := range []string{"_leat_offset", "_leat_partition", "_leat_received_at"} {
		if !present[name] {
			exclude = append(exclude, name)
		}
	}
	star["exclude_list"] = exclude
}
