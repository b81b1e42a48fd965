package duckdb

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"leat/internal/duck"
	"leat/internal/store"
	"leat/internal/types"
)

// relation is a defined stream, table or view with the physical columns that it has now.
type relation struct {
	store.Relation
	// physical are the table's own columns in the order in which DuckDB has them, without the leading _partition, ..., _op.
	physical []physical
	// shape names the relation's tables in the tail; relations that change their columns get new ones.
	shape uint64
}

type physical struct {
	id  int32
	typ types.Type
}

func (p physical) name() string { return columnName(p.id) }

func columnName(id int32) string { return fmt.Sprintf("c%d", id) }

func tableName(id types.ObjectID) string { return fmt.Sprintf("s_%d", id) }

func (r *relation) table() string { return "leat." + tableName(r.ID) }

func (r *relation) keyed() bool { return len(r.Key) > 0 }

// meta are the columns before those of the schema.
func (r *relation) meta() []string {
	cols := []string{"_partition", "_offset", "_at", "_wm"}
	if r.keyed() {
		cols = append(cols, "_op")
	}
	return cols
}

var metaTypes = map[string]string{"_partition": "UINTEGER", "_offset": "UBIGINT", "_at": "TIMESTAMPTZ", "_wm": "TIMESTAMPTZ", "_op": "TINYINT"}

// columns are all columns by name, comma-separated.
func (r *relation) columns() string {
	cols := r.meta()
	for _, p := range r.physical {
		cols = append(cols, p.name())
	}
	return strings.Join(cols, ", ")
}

// definition is the column list of CREATE TABLE.
func (r *relation) definition() string {
	var cols []string
	for _, m := range r.meta() {
		cols = append(cols, m+" "+metaTypes[m])
	}
	for _, p := range r.physical {
		cols = append(cols, p.name()+" "+p.typ.String())
	}
	return "(" + strings.Join(cols, ", ") + ")"
}

// tailCatalog is the database in memory that holds the tail.
const tailCatalog = "leat_tail"

// tailName is the table of one generation of the tail, tail its qualified name.
func (r *relation) tailName(gen int) string { return fmt.Sprintf("s_%d_%d_%d", r.ID, r.shape, gen) }

func (r *relation) tail(gen int) string { return tailCatalog + ".main." + r.tailName(gen) }

// emptyTail is the statement that makes one generation's table, or empties it.
func (r *relation) emptyTail(gen int) string {
	return "CREATE OR REPLACE TABLE " + r.tail(gen) + " " + r.definition()
}

// createTail and dropTail are the statements for both generations; there are none for views.
func (r *relation) createTail() []string {
	if r.Schema == nil {
		return nil
	}
	return []string{r.emptyTail(0), r.emptyTail(1)}
}

func (r *relation) dropTail() []string {
	if r.Schema == nil {
		return nil
	}
	return []string{"DROP TABLE IF EXISTS " + r.tail(0), "DROP TABLE IF EXISTS " + r.tail(1)}
}

// rows is a subquery of the given columns of all rows that where lets through, in file and tail.
func (r *relation) rows(columns, where string) string {
	if where != "" {
		where = " WHERE " + where
	}
	return fmt.Sprintf("(SELECT %[1]s FROM %[2]s%[5]s UNION ALL SELECT %[1]s FROM %[3]s%[5]s UNION ALL SELECT %[1]s FROM %[4]s%[5]s)",
		columns, r.table(), r.tail(0), r.tail(1), where)
}

// viewName splits a relation's name into schema and quoted name; a bare name is in public.
func viewName(name, suffix string) string {
	schema := "public"
	if s, n, ok := strings.Cut(name, "."); ok {
		schema, name = s, n
	}
	return schema + `."` + strings.ReplaceAll(name, `"`, `""`) + suffix + `"`
}

// views are the statements that make what users see of a relation.
func (r *relation) views() []string {
	live := ""
	if r.Live != nil {
		live = fmt.Sprintf("CREATE OR REPLACE VIEW %s AS %s", viewName(r.Name, ""), duck.TableSelect(liveFunction(r.ID), r.Live.Columns))
	}
	if r.Schema == nil && r.Live != nil {
		return []string{live}
	}
	if r.Schema == nil {
		return []string{fmt.Sprintf("CREATE OR REPLACE VIEW %s AS %s", viewName(r.Name, ""), strings.TrimRight(strings.TrimSpace(r.Query), ";"))}
	}
	cols := make([]string, len(r.Schema.Columns))
	for i, c := range r.Schema.Columns {
		cols[i] = columnName(c.ID) + ` AS "` + strings.ReplaceAll(c.Name, `"`, `""`) + `"`
	}
	list := strings.Join(cols, ", ")
	from := r.current()
	plain := fmt.Sprintf("CREATE OR REPLACE VIEW %s AS SELECT %s FROM %s", viewName(r.Name, ""), list, from)
	if r.Live != nil {
		plain = live
	}
	return []string{
		plain,
		fmt.Sprintf("CREATE OR REPLACE VIEW %s AS SELECT %s, _offset AS _leat_offset, _partition AS _leat_partition, _at AS _leat_received_at FROM %s",
			viewName(r.Name, "$leat"), list, from),
	}
}

// current is the FROM and WHERE of the rows that queries see: those within the TTL, and in a table the winner of each key unless it is a delete.
func (r *relation) current() string {
	var where []string
	from := r.rows(r.columns(), "")
	if r.TTL > 0 {
		where = append(where, "_at > now() - "+interval(r.TTL))
	}
	if r.keyed() {
		from = r.winners()
		where = append(where, "_op > 0")
	}
	if len(where) == 0 {
		return from
	}
	return from + " WHERE " + strings.Join(where, " AND ")
}

// winners is a subquery of the row of each key that counts. Without versions it is the one with the key's greatest offset: a join finds it
// three times faster than a window function (BenchmarkTable), and a filter on the key reaches both sides.
func (r *relation) winners() string { return r.winnersOf("") }

// keys are the columns of the primary key, comma-separated.
func (r *relation) keys() string {
	keys := make([]string, len(r.Key))
	for i, k := range r.Key {
		keys[i] = columnName(k)
	}
	return strings.Join(keys, ", ")
}

func interval(d time.Duration) string {
	return fmt.Sprintf("to_microseconds(%d)", d.Microseconds())
}

// dropViews are the statements that remove what users saw under a name.
func dropViews(name string) []string {
	return []string{"DROP VIEW IF EXISTS " + viewName(name, ""), "DROP VIEW IF EXISTS " + viewName(name, "$leat")}
}

// change is one step from the physical columns that a table has to those that its schema wants.
type change struct {
	id       int32
	from, to types.Type // an invalid from adds the column, an invalid to drops it
}

// changes compares what is there with what is wanted, by column ID.
func changes(have []physical, want *types.Schema) []change {
	var out []change
	for _, c := range want.Columns {
		i := slices.IndexFunc(have, func(p physical) bool { return p.id == c.ID })
		switch {
		case i < 0:
			out = append(out, change{id: c.ID, to: c.Type})
		case have[i].typ.String() != c.Type.String():
			out = append(out, change{id: c.ID, from: have[i].typ, to: c.Type})
		}
	}
	for _, p := range have {
		if want.IndexID(p.id) < 0 {
			out = append(out, change{id: p.id, from: p.typ})
		}
	}
	return out
}

// apply returns the physical columns after the changes, as DuckDB orders them.
func apply(have []physical, changes []change) []physical {
	out := slices.Clone(have)
	for _, c := range changes {
		i := slices.IndexFunc(out, func(p physical) bool { return p.id == c.id })
		switch {
		case i < 0:
			out = append(out, physical{c.id, c.to})
		case c.to.Kind == types.Invalid:
			out = slices.Delete(out, i, i+1)
		default:
			out[i].typ = c.to
		}
	}
	return out
}

// sql is the statement that makes the change on a table.
func (c change) sql(table string) string {
	name := columnName(c.id)
	switch {
	case c.from.Kind == types.Invalid:
		return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table, name, c.to)
	case c.to.Kind == types.Invalid:
		return fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", table, name)
	}
	return fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET DATA TYPE %s USING CAST(%s AS %s)", table, name, c.to, name, c.to)
}

// check is a query for the first stored value that the change would lose, as text; empty if none can be.
func (c change) check(table string) string {
	if c.from.Kind == types.Invalid || c.to.Kind == types.Invalid {
		return ""
	}
	name := columnName(c.id)
	lost := fmt.Sprintf("TRY_CAST(%s AS %s) IS NULL", name, c.to)
	if c.from.Kind.IsInteger() && (c.to.Kind == types.Float || c.to.Kind == types.Double) {
		lost += fmt.Sprintf(" OR TRY_CAST(TRY_CAST(%s AS %s) AS HUGEINT) IS DISTINCT FROM %s::HUGEINT", name, c.to, name)
	}
	return fmt.Sprintf("SELECT %s::VARCHAR FROM %s WHERE %s IS NOT NULL AND (%s) LIMIT 1", name, table, name, lost)
}
