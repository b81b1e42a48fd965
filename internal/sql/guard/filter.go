package guard

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"leat/internal/types"
)

// Restrict says by which columns the rows of a stream, table or materialized view are filtered; none keeps all rows. Its error refuses the statement.
type Restrict func(Relation) ([]types.Column, error)

// Filter is a parameter of a filtered statement: only those rows of Relation are read that have its value, cast to the column's type, as Column.
type Filter struct {
	Param    string
	Relation Relation
	Column   types.Column
	// Index is the place of Column among those that Restrict returned for Relation.
	Index int
}

// filterParam begins the names of the parameters of filters; endpoints can't declare such names.
const filterParam = "_leat_filter_"

// shadowSuffix is put behind the name of a CTE that hides a relation of that name: what DuckDB would then resolve otherwise than the guard does is not
// found, rather than read without its filter.
const shadowSuffix = "$cte"

// CheckFiltered is Check for who sees some rows only: the SQL of its verdict reads of each relation, also through views, what restrict lets through.
// Filters of the verdict are the parameters that it has for that, beside Params.
func (g *Guard) CheckFiltered(ctx context.Context, text string, cat Catalog, restrict Restrict) (*Verdict, error) {
	statement, c, v, err := g.check(ctx, text, cat)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(v.Params, func(p string) bool { return strings.HasPrefix(strings.ToLower(p), filterParam) }); i >= 0 {
		return nil, types.Errorf(types.InvalidArgument, "the parameter $%s has a reserved name", v.Params[i])
	}
	if err := c.expandWindows(); err != nil {
		return nil, err
	}
	if err := g.nameColumns(ctx, child(statement, "node")); err != nil {
		return nil, err
	}
	f := &filtering{restrict: restrict, selects: map[string]string{}, verdict: v}
	if err := f.statement(c, statement); err != nil {
		return nil, err
	}
	slices.SortFunc(v.Filters, func(a, b Filter) int {
		return cmp.Or(cmp.Compare(a.Relation.ID, b.Relation.ID), cmp.Compare(a.Index, b.Index))
	})
	f.hold()
	if err := f.verify(cat, statement); err != nil {
		return nil, err
	}
	params := list(statement, "named_param_map")
	for i, p := range v.Filters {
		params = append(params, node{"key": p.Param, "value": json.Number(fmt.Sprint(len(v.Params) + i + 1))})
	}
	statement["named_param_map"] = params
	return v, g.rewrite(ctx, v, statement)
}

// filtering puts filters into one statement and the views that it reads.
type filtering struct {
	restrict Restrict
	verdict  *Verdict
	// selects are the texts of relations' filtered SELECTs by their names, "" where all rows are read.
	selects map[string]string
	// made are the SELECTs that read filtered relations, relations how many relations the statement reads by their names.
	made      []node
	relations int
	// unsafe is set by an expression that DuckDB may evaluate for rows which a filter keeps out.
	unsafe bool
}

// statement rewrites what one checked statement reads.
func (f *filtering) statement(c *checker, statement node) error {
	if mentionsHidden(statement) {
		f.verdict.Wide = true
		if err := c.exposeHidden(statement); err != nil {
			return err
		}
	}
	f.unsafe = f.unsafe || mayFail(statement)
	c.renameShadows()
	replaced := map[string]bool{}
	slices.SortStableFunc(c.tables, func(a, b table) int { return cmp.Compare(location(a.n), location(b.n)) })
	for _, t := range c.tables {
		alias := str(t.n, "alias")
		if alias == "" {
			alias = str(t.n, "table_name")
		}
		subquery, err := f.relation(c, t)
		if err != nil {
			return at(c.text, location(t.n), types.AsError(err))
		}
		if subquery == nil {
			t.n["schema_name"] = "public"
			f.relations++
			continue
		}
		replaced[strings.ToLower(alias)] = true
		become(t.n, alias, subquery, f.columns(t))
	}
	unqualify(statement, replaced)
	return nil
}

// become makes an element of FROM a subquery that has its alias, names of columns and sample.
func become(n node, alias string, statement node, columns []any) {
	sample, location := n["sample"], n["query_location"]
	clear(n)
	n["type"], n["alias"], n["sample"], n["query_location"], n["subquery"], n["column_name_alias"] = "SUBQUERY", alias, sample, location, statement, columns
}

// columns are the names that a relation's columns have where it is read: those given there, after them those of the view's definition.
func (f *filtering) columns(t table) []any {
	given := list(t.n, "column_name_alias")
	if given == nil {
		given = []any{}
	}
	for i := len(given); i < len(t.rel.Columns); i++ {
		given = append(given, t.rel.Columns[i])
	}
	return given
}

// relation is the subquery that stands for a relation; nil where all rows are read.
func (f *filtering) relation(c *checker, t table) (node, error) {
	if t.rel.Query != "" {
		if _, err := f.restrict(t.rel); err != nil {
			return nil, err
		}
		return f.view(c, t.rel)
	}
	text, err := f.text(t.rel)
	if err != nil || text == "" {
		return nil, err
	}
	statement, err := c.guard.parse(c.ctx, text)
	if err != nil {
		return nil, err
	}
	query := child(statement, "node")
	from := child(query, "from_table")
	from["schema_name"], from["table_name"] = "public", t.rel.Name
	if strings.HasSuffix(str(t.n, "table_name"), wideSuffix) {
		from["table_name"] = t.rel.Name + wideSuffix
	}
	f.made = append(f.made, query)
	f.relations++
	statement["named_param_map"] = []any{}
	return statement, nil
}

// view is the text of a plain view with the filters of what it reads. The statement that reads it has been checked with it.
func (f *filtering) view(c *checker, rel Relation) (node, error) {
	statement, err := c.guard.parse(c.ctx, rel.Query)
	if err != nil {
		return nil, err
	}
	inner := &checker{ctx: c.ctx, guard: c.guard, cat: c.cat, text: rel.Query, now: c.now, views: c.views}
	if err := inner.statement(statement); err != nil {
		return nil, err
	}
	if err := inner.expandWindows(); err != nil {
		return nil, err
	}
	if err := f.statement(inner, statement); err != nil {
		e := *types.AsError(err)
		e.Line, e.Column = 0, 0 // places of a text that is not the statement's
		return nil, &e
	}
	return statement, nil
}

// text is the SELECT of a relation's rows that pass its filter, over leat_source.
func (f *filtering) text(rel Relation) (string, error) {
	if text, ok := f.selects[rel.Name]; ok {
		return text, nil
	}
	columns, err := f.restrict(rel)
	if err != nil {
		return "", err
	}
	var tests []string
	for i, c := range columns {
		p := Filter{Param: fmt.Sprintf("%s%d_%d", filterParam, rel.ID, i), Relation: rel, Column: c, Index: i}
		f.verdict.Filters = append(f.verdict.Filters, p)
		tests = append(tests, fmt.Sprintf("%s = CAST($%s AS %s)", types.QuoteIdent(c.Name), p.Param, c.Type))
	}
	text := ""
	if len(tests) > 0 {
		text = "SELECT * FROM leat_source WHERE " + strings.Join(tests, " AND ")
	}
	f.selects[rel.Name] = text
	return text, nil
}

// hold keeps DuckDB from evaluating the statement's expressions below the filters where one of them may fail without DuckDB knowing that it
// can: it moves such an expression to the relation, and its error tells of rows that the filter keeps out. It moves nothing below an OFFSET.
func (f *filtering) hold() {
	if !f.unsafe {
		return
	}
	for _, n := range f.made {
		zero := node{"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": "", "query_location": noLocation,
			"value": node{"type": node{"id": "INTEGER", "type_info": nil}, "is_null": false, "value": json.Number("0")}}
		n["modifiers"] = []any{node{"type": "LIMIT_MODIFIER", "limit": nil, "offset": zero}}
	}
}

// noLocation is DuckDB's place of what stands in no text.
const noLocation = json.Number("18446744073709551615")

// verify looks at every name of a relation in what will run: each is one that was put there, or no relation's. It holds whatever the walk that found
// them understood of scopes.
func (f *filtering) verify(cat Catalog, statement node) error {
	qualified, stray := 0, ""
	each(statement, func(n node) bool {
		if str(n, "type") != "BASE_TABLE" || str(n, "class") != "" {
			return true
		}
		name := strings.ToLower(str(n, "table_name"))
		switch schema := str(n, "schema_name"); {
		case schema == "public":
			qualified++
		case schema != "" || str(n, "catalog_name") != "":
			stray = name
		default:
			if _, ok := cat.Relation(strings.TrimSuffix(name, wideSuffix)); ok {
				stray = name
			}
		}
		return true
	})
	if stray != "" || qualified != f.relations {
		return types.Errorf(types.Internal, "BUG: a filtered statement reads %q without its filter", stray)
	}
	return nil
}

// table is a relation in FROM.
type table struct {
	n   node
	rel Relation
}

// renameShadows gives CTEs that hide a relation names of their own; what reads them keeps their names as aliases.
func (c *checker) renameShadows() {
	for _, n := range c.shadows {
		name := str(n, "table_name")
		if _, hides := c.cat.Relation(strings.ToLower(name)); !hides {
			continue
		}
		if str(n, "alias") == "" {
			n["alias"] = name
		}
		n["table_name"] = strings.ToLower(name) + shadowSuffix
	}
	for _, entry := range c.entries {
		name := strings.ToLower(str(entry, "key"))
		if _, hides := c.cat.Relation(name); !hides {
			continue
		}
		entry["key"] = name + shadowSuffix
		if body := child(child(child(entry, "value"), "query"), "node"); body["cte_name"] != nil {
			body["cte_name"] = name + shadowSuffix
		}
	}
}

// unqualify takes the schema from columns of relations that have become subqueries.
func unqualify(statement node, replaced map[string]bool) {
	each(statement, func(n node) bool {
		if parts := names(n); len(parts) > 2 && strings.EqualFold(parts[0], "public") && replaced[strings.ToLower(parts[1])] {
			n["column_names"] = list(n, "column_names")[1:]
		}
		return true
	})
}

// harmless are functions that never fail, or of which DuckDB knows that they may (a test looks): it then evaluates them above the filters.
var harmless = set(`+ - * / // % ~~ !~~ ~~* !~~* || lower upper length len strlen contains prefix suffix starts_with ends_with instr position strpos
	concat concat_ws trim ltrim rtrim nullif greatest least year month day hour minute second epoch epoch_ms
	to_years to_months to_weeks to_days to_hours to_minutes to_seconds to_milliseconds to_microseconds trunc time_bucket now today isnan isinf isfinite
	count count_star sum avg min max first last any_value arg_min arg_max min_by max_by bool_and bool_or stddev variance median mode
	row_number rank dense_rank lag lead first_value last_value ntile percent_rank cume_dist`)

// mayFail reports whether a statement has an expression whose failure DuckDB doesn't know of.
func mayFail(statement node) bool {
	found := false
	each(statement, func(n node) bool {
		switch str(n, "class") {
		case "FUNCTION", "WINDOW":
			found = found || !harmless[strings.ToLower(str(n, "function_name"))]
		case "LAMBDA", "COLLATE":
			found = true
		}
		return !found
	})
	return found
}
