package control

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"leat/internal/catalog"
	"leat/internal/sql/guard"
	"leat/internal/store"
	"leat/internal/types"
)

// wideSuffix makes the name of the store's relation with the hidden columns, which the guard puts in the place of the name.
const wideSuffix = "$leat"

// rewritten finds texts that the guard may have to write anew: hidden columns and window functions.
var rewritten = regexp.MustCompile(`(?i)_leat_|\b(tumble|hop|cumulate|session|count_window)"?\s*\(`)

// storeText is what the store runs for the query of a view or endpoint: the text as written, but for hidden columns and window functions. The catalog
// keeps the text as written.
func (c *Controller) storeText(ctx context.Context, text string, cat guard.Catalog) (string, error) {
	if !rewritten.MatchString(text) {
		return text, nil
	}
	v, err := c.Guard.Check(ctx, text, cat)
	if err != nil {
		return "", err
	}
	return v.SQL, nil
}

// bind asks the store for the columns of a view's or endpoint's query. What it reads stands before it as empty CTEs, so nothing of
// it need exist in the store yet and no row is read. Places in errors are moved to the script if offset is not negative.
func (p *planner) bind(o *catalog.Object, offset int) error {
	if o.Continuous() {
		return p.bindContinuous(o, offset)
	}
	text, err := p.c.storeText(p.ctx, query(o), p.draft)
	if err != nil {
		return err
	}
	inputs, err := p.inputs(o)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(inputs + "SELECT * FROM (\n")
	line := 1 + strings.Count(b.String(), "\n")
	args := map[string]any{}
	if o.View != nil {
		b.WriteString(viewQuery(o, text))
		if len(o.View.Columns) > 0 {
			line++ // viewQuery puts a line before
		}
	} else {
		b.WriteString(text)
		for _, a := range o.Endpoint.Params {
			args[a.Name] = sample(a.Type)
		}
	}
	b.WriteString("\n) LIMIT 0")
	rows, err := p.c.Store.Query(p.ctx, store.Query{SQL: b.String(), Args: args, MaxRows: 1})
	switch {
	case err == nil:
		return rows.Close()
	case text != query(o):
		return p.unplaced(offset, err)
	}
	return p.shift(offset, line, err)
}

// inputs is a WITH clause of empty relations for all that o reads.
func (p *planner) inputs(o *catalog.Object) (string, error) {
	var reads []*catalog.Object
	var visit func(o *catalog.Object)
	visit = func(o *catalog.Object) {
		for _, id := range o.DependsOn {
			if dep := p.draft.objects[id]; dep != nil && !slices.Contains(reads, dep) {
				if !dep.Continuous() {
					visit(dep)
				}
				reads = append(reads, dep)
			}
		}
	}
	visit(o)
	if len(reads) == 0 {
		return "", nil
	}
	var parts []string
	add := func(name, body string) { parts = append(parts, types.QuoteIdent(name)+" AS ("+body+"\n)") }
	for _, r := range reads {
		if r.Continuous() {
			add(r.Name, emptyRows(r.View.Materialized.Schema, ""))
			continue
		}
		if r.View == nil {
			add(r.Name, emptyRows(r.Stream.Schema, ""))
			add(r.Name+wideSuffix, emptyRows(r.Stream.Schema, hiddenColumns))
			continue
		}
		text, err := p.c.storeText(p.ctx, r.View.Query, p.draft)
		if err != nil {
			return "", err
		}
		add(r.Name, viewQuery(r, text))
	}
	return "WITH " + strings.Join(parts, ", ") + " ", nil
}

const hiddenColumns = ", NULL::UBIGINT AS _leat_offset, NULL::UINTEGER AS _leat_partition, NULL::TIMESTAMPTZ AS _leat_received_at"

func emptyRows(s *types.Schema, more string) string {
	cols := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		cols[i] = "NULL::" + c.Type.String() + " AS " + types.QuoteIdent(c.Name)
	}
	return "SELECT " + strings.Join(cols, ", ") + more + " WHERE false"
}

// sample is a value of a parameter's type, to bind a query with.
func sample(t types.Type) any {
	switch k := t.Kind; {
	case k == types.Boolean:
		return false
	case k.IsInteger():
		return int64(0)
	case k == types.Float || k == types.Double:
		return float64(0)
	case k == types.Varchar || k == types.JSON:
		return ""
	case k == types.Blob:
		return []byte{}
	case k == types.Date || k.IsTime():
		return time.Unix(0, 0).UTC()
	}
	return nil
}
