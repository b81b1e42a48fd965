package bind

import (
	"slices"
	"strings"

	"leat/internal/types"
)

// DuckDB plans a text in which plain views stand as subqueries, with the names of relations qualified so that no CTE of the
// user's captures them, and each window function as a subquery that marks its columns (window.go). The text is cut and put together again rather than printed from the AST, so
// that the places of faults stay those of what the user wrote.

// site is a place in a text where something stands for rows.
type site struct {
	start, end int
	// alias is set where the query names the rows itself.
	alias bool
	// name is a relation's; of a window function, that of the rows it is over, empty for a subquery.
	name string
	form *windowForm
	args []span
}

// text is one text being rewritten: the user's, or a view's.
type text struct {
	*session
	sql   string
	sites []site
	// own is set for the user's text, whose offsets are places.
	own  bool
	open []string
	// anchor is the place that stands for all of a view's.
	anchor int
	// windowTime is set where the text names window_time.
	windowTime bool
}

// maxViews is how deep views may stand on views.
const maxViews = 32

// rewrite returns the text to plan.
func (s *session) rewrite(sql string, open []string, anchor int) (segments, error) {
	ast, err := s.parser.SerializeSQL(s.ctx, sql)
	if err != nil {
		return nil, err
	}
	node, err := statementOf(ast)
	if err != nil {
		return nil, err
	}
	t := &text{session: s, sql: sql, own: len(open) == 0, open: open, anchor: anchor}
	parameter := object(nil)
	each(node, func(n object) bool {
		switch str(n, "class") {
		case "PARAMETER":
			parameter = n
		case "COLUMN_REF":
			names, _ := n["column_names"].([]any)
			for _, name := range names {
				if name, ok := name.(string); ok && strings.EqualFold(name, "window_time") {
					t.windowTime = true
				}
			}
		}
		return true
	})
	if t.own {
		s.ast = node
	}
	if parameter != nil && s.mode != once {
		return nil, t.fault(first(parameter), types.Errorf(types.NotAllowed, "a view has no parameters")).
			WithHint("make an endpoint over the view: CREATE ENDPOINT e (p BIGINT) AS SELECT ... WHERE x = $p")
	}
	if err := t.query(node, nil); err != nil {
		return nil, err
	}
	slices.SortFunc(t.sites, func(a, b site) int { return a.start - b.start })
	return t.render(0, statementEnd(sql))
}

// names are the CTEs in scope.
type names struct {
	outer *names
	name  string
}

func (n *names) has(name string) bool {
	for ; n != nil; n = n.outer {
		if n.name == name {
			return true
		}
	}
	return false
}

// query collects the sites of one query node and those below it.
func (t *text) query(n object, ctes *names) error {
	for _, cte := range objects(child(n, "cte_map"), "map") {
		name := strings.ToLower(str(cte, "key"))
		body := child(child(child(cte, "value"), "query"), "node")
		inner := ctes
		if str(body, "type") == "RECURSIVE_CTE_NODE" {
			inner = &names{ctes, name}
		}
		if err := t.query(body, inner); err != nil {
			return err
		}
		ctes = &names{ctes, name}
	}
	for key, v := range n {
		if key == "cte_map" {
			continue
		}
		if err := t.visit(v, ctes); err != nil {
			return err
		}
	}
	return nil
}

func (t *text) visit(v any, ctes *names) error {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if err := t.visit(e, ctes); err != nil {
				return err
			}
		}
	case object:
		kind := str(v, "type")
		switch {
		case queryNodes[kind]:
			return t.query(v, ctes)
		case kind == "BASE_TABLE" && str(v, "class") == "":
			return t.table(v, ctes)
		case kind == "TABLE_FUNCTION":
			if form := formOf(v); form != nil {
				if err := t.windowCall(v, form, ctes); err != nil {
					return err
				}
			}
		}
		for _, c := range v {
			if err := t.visit(c, ctes); err != nil {
				return err
			}
		}
	}
	return nil
}

// table notes the site of a name in FROM, unless it is a CTE's.
func (t *text) table(n object, ctes *names) error {
	parts := 1
	if str(n, "schema_name") != "" {
		parts++
	}
	name := strings.ToLower(str(n, "table_name"))
	if parts == 1 && ctes.has(name) {
		return nil
	}
	switch schema := strings.ToLower(str(n, "schema_name")); {
	case str(n, "catalog_name") != "":
		return t.fault(location(n), types.Errorf(types.UnknownRelation, "there is no database %s", str(n, "catalog_name")))
	case n["at_clause"] != nil:
		return t.fault(location(n), types.Errorf(types.Unsupported, "AT (VERSION or TIMESTAMP) is not supported in views"))
	case schema != "" && schema != "public":
		name = schema + "." + name
	}
	return t.addSite(site{start: location(n), name: name, alias: str(n, "alias") != ""}, parts)
}

func (t *text) addSite(s site, parts int) error {
	if s.start >= 0 && s.start < len(t.sql) {
		s.end = nameEnd(t.sql, s.start, parts)
	}
	if s.end <= s.start {
		// What is no name, such as the text 'file.csv', is none of a relation's either.
		if _, err := t.lookup(s.name); err != nil {
			return t.fault(s.start, types.AsError(err))
		}
		return types.Errorf(types.Internal, "the place of %s in the query cannot be found", s.name)
	}
	t.sites = append(t.sites, s)
	return nil
}

// fault gives an error its place: in the user's own text the offset, in a view's the view's.
func (t *text) fault(offset int, e *types.Error) *types.Error { return t.at(t.origin(offset), e) }

func (t *text) origin(offset int) int {
	if t.own {
		return offset
	}
	return t.anchor
}

// copied is a piece of the text as it is.
func (t *text) copied(start, end int) segment {
	if t.own {
		return segment{text: t.sql[start:end], from: start}
	}
	return made(t.sql[start:end], t.anchor)
}

// render puts a piece of the text together, with its sites replaced.
func (t *text) render(start, end int) (segments, error) {
	var out segments
	at := start
	for _, s := range t.sites {
		if s.start < at || s.end > end {
			continue
		}
		out = append(out, t.copied(at, s.start))
		var in segments
		var err error
		if s.form != nil {
			in, err = t.renderWindow(s)
		} else {
			in, err = t.renderRelation(s)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, in...)
		at = s.end
	}
	return append(out, t.copied(at, end)), nil
}

// renderRelation replaces the name of a relation: by the qualified one, or by the query of a plain view.
func (t *text) renderRelation(s site) (segments, error) {
	anchor := t.origin(s.start)
	src, err := t.lookup(s.name)
	if err != nil {
		return nil, t.fault(s.start, types.AsError(err))
	}
	bare := s.name[strings.LastIndexByte(s.name, '.')+1:]
	if src.Relation != nil {
		qualified := t.use(s.name, src.Relation)
		if t.own {
			// As it is: expressions without alias have their text as name.
			return segments{t.copied(s.start, s.end)}, nil
		}
		return segments{made(qualified, anchor)}, nil
	}
	if slices.Contains(t.open, s.name) || len(t.open) >= maxViews {
		return nil, t.fault(s.start, types.Errorf(types.QueryTooComplex, "view %s stands on itself or on more than %d views", s.name, maxViews))
	}
	inner, err := t.rewrite(src.Query, append(slices.Clone(t.open), s.name), anchor)
	if err != nil {
		e := *types.AsError(err)
		e.Message = "in view " + s.name + ": " + e.Message
		e.Line, e.Column = 0, 0
		return nil, t.fault(s.start, &e)
	}
	out := segments{made("(", anchor), inner.anchored(anchor), made("\n)", anchor)}
	if len(src.Columns) > 0 {
		quoted := make([]string, len(src.Columns))
		for i, c := range src.Columns {
			quoted[i] = types.QuoteIdent(c)
		}
		out = append(append(segments{made("(SELECT * FROM ", anchor)}, out...),
			made(" AS "+types.QuoteIdent(bare)+"("+strings.Join(quoted, ", ")+"))", anchor))
	}
	if !s.alias {
		out = append(out, made(" AS "+types.QuoteIdent(bare), anchor))
	}
	return out, nil
}
