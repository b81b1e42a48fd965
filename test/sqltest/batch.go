package sqltest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/codec/encode"
	"leat/internal/duck"
	"leat/internal/engine/zset"
	"leat/internal/sql/guard"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Batch runs queries in DuckDB over what the relations have taken so far: a stream's rows, a table's current ones. A stream s is also
// there as s_wm with each row's watermark in a last column _wm, for what is to leave late rows out.
type Batch struct {
	db     *duck.DB
	conn   *duck.Conn
	guard  *guard.Guard
	known  map[string]guard.Relation
	nextID types.ObjectID
}

// NewBatch opens a database that is closed with the test.
func NewBatch(tb testing.TB, parser *duck.Parser) *Batch {
	tb.Helper()
	db, err := duck.Open("", duck.Options{Schema: "public", Threads: 1, Readers: 1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	conn, err := db.Reader(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Release(conn) })
	return &Batch{db: db, conn: conn, guard: guard.New(parser), known: map[string]guard.Relation{}, nextID: 2}
}

// logColumns follow a relation's own in the table of what it took.
var logColumns = []types.Column{
	{Name: "_leat_offset", Type: types.Of(types.UBigInt)}, {Name: "_leat_partition", Type: types.Of(types.Integer)},
	{Name: "_leat_received_at", Type: types.Of(types.TimestampTZ)}, {Name: "_wm", Type: types.Of(types.Timestamp)},
	{Name: "_weight", Type: types.Of(types.BigInt)},
}

// Define makes a relation without rows.
func (b *Batch) Define(rel *plan.Relation) error {
	own := rel.Schema.Columns
	var columns, names []string
	for _, c := range slices.Concat(own, logColumns) {
		columns = append(columns, types.QuoteIdent(c.Name)+" "+c.Type.String())
		names = append(names, types.QuoteIdent(c.Name))
	}
	log, n := types.QuoteIdent(rel.Name+"$log"), len(own)
	current := ""
	if rel.Kind == plan.TableRelation {
		current = b.current(rel)
	}
	view := func(name string, columns []string) string {
		return "CREATE VIEW " + types.QuoteIdent(name) + " AS SELECT " + strings.Join(columns, ", ") + " FROM " + log + current + ";"
	}
	b.know(rel.Name, "")
	b.know(rel.Name+"_wm", "")
	return b.Exec("CREATE TABLE " + log + "(" + strings.Join(columns, ", ") + ");" + view(rel.Name, names[:n]) +
		view(rel.Name+"$leat", names[:n+3]) + view(rel.Name+"_wm", append(slices.Clone(names[:n]), "_wm")))
}

// current keeps the last change of each key, unless it is a delete.
func (b *Batch) current(rel *plan.Relation) string {
	var key []string
	for _, id := range rel.Key {
		key = append(key, types.QuoteIdent(rel.Schema.Columns[rel.Schema.IndexID(id)].Name))
	}
	order := "_leat_offset DESC"
	if rel.VersionColumn != 0 {
		order = types.QuoteIdent(rel.Schema.Columns[rel.Schema.IndexID(rel.VersionColumn)].Name) + " DESC NULLS LAST, " + order
	}
	return " QUALIFY row_number() OVER (PARTITION BY " + strings.Join(key, ", ") + " ORDER BY " + order + ") = 1 AND _weight > 0"
}

func (b *Batch) know(name, query string) {
	b.nextID++
	b.known[name] = guard.Relation{ID: b.nextID, Name: name, Query: query}
}

// View defines a view; columns rename its own.
func (b *Batch) View(name string, columns []string, query string) error {
	sql, err := b.Rewrite(query)
	if err != nil {
		return err
	}
	b.know(name, query)
	if len(columns) > 0 {
		quoted := make([]string, len(columns))
		for i, c := range columns {
			quoted[i] = types.QuoteIdent(c)
		}
		name = types.QuoteIdent(name) + "(" + strings.Join(quoted, ", ") + ")"
	}
	return b.Exec("CREATE VIEW " + name + " AS " + sql)
}

// Exec runs statements.
func (b *Batch) Exec(sql string) error { return b.conn.Exec(context.Background(), sql) }

// Reset forgets all relations.
func (b *Batch) Reset() error {
	b.known = map[string]guard.Relation{}
	return b.Exec("USE memory.main; DROP SCHEMA public CASCADE; CREATE SCHEMA public; USE memory.public")
}

// Relation and Names are what the guard asks.
func (b *Batch) Relation(name string) (guard.Relation, bool) {
	r, ok := b.known[name]
	return r, ok
}

// Names are the relations'.
func (b *Batch) Names() []string { return nil }

// Rewrite writes the dialect's window functions as DuckDB's SQL.
func (b *Batch) Rewrite(query string) (string, error) {
	v, err := b.guard.Check(context.Background(), query, b)
	if err != nil {
		return "", err
	}
	return v.SQL, nil
}

// Stamps are what a log adds to some rows; Watermarks is nil where there are none.
type Stamps struct {
	First      int64
	Watermarks []int64
	Weights    []int64
}

// Append adds what a relation took: its columns, rows long, and the stamps of the log.
func (b *Batch) Append(rel *plan.Relation, columns []arrow.Array, rows int, s Stamps) error {
	offset := zset.NewBuilder([]types.Type{logColumns[0].Type, logColumns[1].Type, logColumns[2].Type, logColumns[3].Type, logColumns[4].Type})
	for i := range rows {
		offset.AppendWide(0, Wide(s.First+int64(i)))
		offset.AppendInt64(1, 0)
		offset.AppendInt64(2, 0)
		if s.Watermarks == nil || s.Watermarks[i] == types.NoWatermark {
			offset.AppendNull(3)
		} else {
			offset.AppendInt64(3, s.Watermarks[i])
		}
		if s.Weights == nil {
			offset.AppendInt64(4, 1)
		} else {
			offset.AppendInt64(4, s.Weights[i])
		}
		offset.EndRow(1)
	}
	if rows == 0 {
		return nil
	}
	all := slices.Clone(columns)
	for _, v := range offset.Finish().Cols {
		all = append(all, zset.ToArrow(v))
	}
	var fields []arrow.Field
	for _, c := range slices.Concat(rel.Schema.Columns, logColumns) {
		fields = append(fields, arrow.Field{Name: c.Name, Type: c.Type.Arrow(), Nullable: true})
	}
	return b.conn.Append("", "public", rel.Name+"$log", array.NewRecordBatch(arrow.NewSchema(fields, nil), all, int64(rows)))
}

// NDJSON runs one SELECT and returns its rows as `leat run` prints them.
func (b *Batch) NDJSON(query string) (string, error) {
	sql, err := b.Rewrite(query)
	if err != nil {
		return "", err
	}
	r, err := b.conn.Query(context.Background(), sql, nil, -1)
	if err != nil {
		return "", err
	}
	defer r.Close()
	format, err := encode.Negotiate("ndjson", "")
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = encode.Encode(context.Background(), &out, format, r, encode.Options{})
	return out.String(), err
}

// Each runs what Rewrite returned and calls f with its rows, which are valid during the call.
func (b *Batch) Each(query string, f func(columns []types.Column, rows *zset.Batch) error) error {
	r, err := b.conn.Query(context.Background(), query, nil, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		rec, err := r.Next(context.Background())
		if err != nil || rec == nil {
			return err
		}
		z := &zset.Batch{N: int(rec.NumRows())}
		for i, c := range r.Columns() {
			v, err := zset.FromArrow(c.Type, rec.Column(i))
			if err != nil {
				return err
			}
			z.Cols = append(z.Cols, v)
		}
		if err := f(r.Columns(), z); err != nil {
			return err
		}
	}
}
