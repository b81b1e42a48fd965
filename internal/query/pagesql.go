package query

import (
	"fmt"
	"strings"

	"leat/internal/types"
)

// pageParam begins the names of a page's parameters; endpoints can't declare names that begin with _.
const pageParam = "_leat_page_"

// sql is the text of a page and the values of its own parameters. Its columns are those of the result, then the texts of keys that have no exact
// text in Go (see exact).
func (p *pager) sql(rows int) (string, map[string]any) {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, c := range p.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "c%d_ AS %s", i, types.QuoteIdent(c.Name))
	}
	for i, k := range p.keys {
		if !p.exact(k) {
			fmt.Fprintf(&b, ", CAST(c%d_ AS VARCHAR) AS k%d_", k.column, i)
		}
	}
	fmt.Fprintf(&b, " FROM (\n%s\n) AS page_(", p.text)
	for i := range p.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "c%d_", i)
	}
	b.WriteString(")")
	args := map[string]any{}
	if p.last != nil {
		b.WriteString(" WHERE ")
		b.WriteString(p.behind(args))
	}
	b.WriteString(" ORDER BY ")
	for i, k := range p.keys {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(k.sql())
		b.WriteString([...]string{" ASC", " DESC"}[b2i(k.descending)])
		b.WriteString([...]string{" NULLS LAST", " NULLS FIRST"}[b2i(k.nullsFirst)])
	}
	fmt.Fprintf(&b, " LIMIT %d", rows)
	return b.String(), args
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sql is the key over the columns of page_.
func (k sortKey) sql() string {
	if k.text {
		return fmt.Sprintf("CAST(c%d_ AS VARCHAR)", k.column)
	}
	return fmt.Sprintf("c%d_", k.column)
}

// exact tells keys whose values Go can spell so that DuckDB reads the same; DuckDB spells the others.
func (p *pager) exact(k sortKey) bool {
	kind := p.columns[k.column].Type.Kind
	return !k.text && (kind == types.Boolean || kind.IsInteger() && kind != types.HugeInt || kind == types.Float || kind == types.Double ||
		kind == types.Varchar || kind == types.Blob)
}

// behind is the test of rows that are equal to the last one or come after it: from the last key to the first,
// after(k) OR (same(k) AND rest).
func (p *pager) behind(args map[string]any) string {
	rest := "TRUE"
	for i := len(p.keys) - 1; i >= 0; i-- {
		k := p.keys[i]
		e, v := k.sql(), p.last[i]
		if v == nil {
			after := "FALSE"
			if k.nullsFirst {
				after = e + " IS NOT NULL"
			}
			rest = fmt.Sprintf("(%s OR (%s IS NULL AND %s))", after, e, rest)
			continue
		}
		name := fmt.Sprint(pageParam, i)
		kind := p.columns[k.column].Type
		args[name] = any(*v)
		if k.text {
			kind = types.Of(types.Varchar)
		} else if kind.Kind == types.Blob {
			args[name] = []byte(*v)
		}
		value := fmt.Sprintf("CAST($%s AS %s)", name, kind)
		after := fmt.Sprintf("%s > %s", e, value)
		if k.descending {
			after = fmt.Sprintf("%s < %s", e, value)
		}
		if !k.nullsFirst {
			after += fmt.Sprintf(" OR %s IS NULL", e)
		}
		rest = fmt.Sprintf("(%s OR (%s = %s AND %s))", after, e, value, rest)
	}
	return rest
}
