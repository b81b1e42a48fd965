package app

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/api"
	"leat/internal/auth"
	"leat/internal/codec/encode"
	"leat/internal/control"
	"leat/internal/duck"
	"leat/internal/ingest"
	"leat/internal/query"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// queries sends SELECTs and endpoints to query, everything else to control.
type queries struct{ *server }

func (q queries) SQL(ctx context.Context, r api.SQLRequest) (api.Outcome, error) {
	statements, err := ddl.Parse(r.SQL)
	if err != nil {
		return api.Outcome{}, err
	}
	if len(statements) == 0 {
		return api.Outcome{}, types.Errorf(types.InvalidArgument, "there is no statement in the text")
	}
	if sel, ok := statements[0].(*ddl.Select); ok && len(statements) == 1 {
		return outcome(q.query.Query(ctx, query.Text{Principal: r.Principal, SQL: sel.Text, Script: r.SQL, Offset: sel.Offset},
			query.Run{Args: r.Params, Limit: r.Limit, Freshness: query.Freshness(r.Freshness)}))
	}
	if r.ReadOnly && slices.ContainsFunc(statements, changes) {
		return api.Outcome{}, types.Errorf(types.NotAllowed, "GET only reads: SELECT, SHOW, DESCRIBE and EXPLAIN").WithHint("send changes with POST /v1/sql")
	}
	done, err := q.exec(ctx, r.Principal, control.Script{Text: r.SQL, Statements: statements, Args: r.Params})
	if err != nil {
		return api.Outcome{}, err
	}
	return statementOutcome(done), nil
}

// changes reports whether a statement is more than a question.
func changes(st ddl.Statement) bool {
	switch st.(type) {
	case *ddl.Select, *ddl.Show, *ddl.ShowCreate, *ddl.Describe, *ddl.Explain:
		return false
	}
	return true
}

// statementOutcome shows the table of a script's last statement, or what all of them did.
func statementOutcome(done control.Outcome) api.Outcome {
	var out api.Outcome
	if last := done.Results[len(done.Results)-1]; last.Table != nil {
		out.Rows = newTableRows(last.Table)
		return out
	}
	for _, r := range done.Results {
		out.Statements = append(out.Statements, api.Done{Statement: r.Statement, Name: r.Name, Status: r.Status, Rows: r.Rows})
		if len(r.Position.Cursors) > 0 {
			out.Position = r.Position
		}
	}
	return out
}

// Endpoint gives a page where one is asked for, or where the number of rows is limited and there may be an order to go on in.
func (q queries) Endpoint(ctx context.Context, r api.EndpointRequest) (api.Outcome, error) {
	call := query.CallRequest{Principal: r.Principal, Name: r.Name,
		Run: query.Run{Args: r.Args, Limit: r.Limit, Freshness: query.Freshness(r.Freshness), Have: r.Have}}
	if r.Cursor == nil && (r.Limit == 0 || r.Limit > query.MaxPage) {
		return outcome(q.query.Call(ctx, call))
	}
	page := query.PageRequest{CallRequest: call}
	if r.Cursor != nil {
		page.Cursor = *r.Cursor
	}
	res, err := q.query.Page(ctx, page)
	if r.Cursor == nil && query.IsUnpageable(err) {
		return outcome(q.query.Call(ctx, call))
	}
	if err != nil {
		return api.Outcome{}, err
	}
	out, err := outcome(res.Result, nil)
	out.Cursor = res.Cursor
	return out, err
}

// Published implements api.Queries.
func (q queries) Published(name string) (api.Published, bool) {
	o := q.catalog.Snapshot().ByName(name)
	if o == nil || o.Endpoint == nil {
		return api.Published{}, false
	}
	options := o.Endpoint.Options
	return api.Published{ID: o.ID, Version: o.Version, NoCache: options.NoCache, StaleIfOverloaded: options.StaleIfOverloaded}, true
}

func (q queries) Row(ctx context.Context, k api.RowKey, f api.Freshness) (api.Outcome, error) {
	key, err := q.rowKey(k)
	if err != nil {
		return api.Outcome{}, err
	}
	return outcome(q.query.Row(ctx, query.RowRequest{Principal: k.Principal, Table: k.Table, Key: key, Freshness: query.Freshness(f)}))
}

func (q queries) Lookup(ctx context.Context, l api.Lookup) (api.Found, error) {
	r := query.LookupRequest{Principal: l.Principal, View: l.View, Table: l.Table, Freshness: query.Freshness(l.Freshness)}
	r.Key, r.Limit, r.Cursor = l.Key, l.Limit, l.Cursor
	for name, text := range l.Columns {
		r.Columns = append(r.Columns, query.KeyValue{Column: name, Text: &text})
	}
	found, err := q.query.Lookup(ctx, r)
	if err != nil {
		return api.Found{}, err
	}
	out := api.Outcome{Rows: found.Rows, Cursor: found.Cursor, Direct: true}
	out.Seen = api.Seen{Position: found.Position, Known: true, Watermark: found.Watermark, Lag: found.Lag}
	return api.Found{Outcome: out, One: found.One}, nil
}

func outcome(res *query.Result, err error) (api.Outcome, error) {
	if err != nil {
		return api.Outcome{}, err
	}
	out := api.Outcome{Stamp: res.Stamp, Direct: res.Direct, Seen: api.Seen{Position: res.Position, Known: true, Watermark: res.Watermark, Lag: res.Lag}}
	if res.Rows != nil {
		out.Rows = res.Rows
	}
	return out, nil
}

// encoder writes results in the forms of codec/encode.
type encoder struct{}

func (encoder) Negotiate(name, accept string) (api.Format, error) {
	f, err := encode.Negotiate(name, accept)
	return api.Format(f), err
}

func (encoder) Encode(ctx context.Context, w io.Writer, f api.Format, rows api.Rows, o api.EncodeOptions) error {
	options := encode.Options{Int64AsString: o.Int64AsString, ClickHouse: o.ClickHouse, Start: o.Start}
	if found, ok := rows.(*foundRows); ok && found.rows <= 1 && f.Name == "ndjson" {
		_, err := w.Write(found.object(make([]byte, 0, 512), options))
		return err
	}
	return encode.Encode(ctx, w, encode.Format(f), rows, options)
}

// tableRows is a small result that is there already.
type tableRows struct {
	columns []types.Column
	record  arrow.RecordBatch
	read    bool
}

func newTableRows(t *control.Table) *tableRows {
	names, kinds, cols := make([]string, len(t.Columns)), make([]types.Type, len(t.Columns)), make([]arrow.Array, len(t.Columns))
	for i, c := range t.Columns {
		names[i], kinds[i] = c.Name, c.Type
		b := array.NewBuilder(memory.DefaultAllocator, c.Type.Arrow())
		for _, row := range t.Rows {
			appendCell(b, row[i])
		}
		cols[i] = b.NewArray()
	}
	return &tableRows{columns: t.Columns, record: duck.Record(names, kinds, cols, len(t.Rows))}
}

// appendCell appends a value of a control.Table; what has another type than the column is NULL.
func appendCell(b array.Builder, v any) {
	switch b := b.(type) {
	case *array.StringBuilder:
		if s, ok := v.(string); ok {
			b.Append(s)
			return
		}
	case *array.Int64Builder:
		if n, ok := v.(int64); ok {
			b.Append(n)
			return
		}
	case *array.BooleanBuilder:
		if t, ok := v.(bool); ok {
			b.Append(t)
			return
		}
	case *array.TimestampBuilder:
		if t, ok := v.(time.Time); ok {
			b.Append(arrow.Timestamp(t.UnixMicro()))
			return
		}
	}
	b.AppendNull()
}

func (r *tableRows) Columns() []types.Column { return r.columns }

func (r *tableRows) Next(context.Context) (arrow.RecordBatch, error) {
	if r.read {
		return nil, nil
	}
	r.read = true
	return r.record, nil
}

func (r *tableRows) Truncated() bool { return false }
func (r *tableRows) Close() error    { return nil }

// rowWriter executes INSERT and DELETE.
type rowWriter struct{ *server }

// maxInsertRows bounds what one INSERT may append, and so the memory that it takes.
const maxInsertRows = 1_000_000

func (w rowWriter) Insert(ctx context.Context, who auth.Principal, script string, st *ddl.Insert, args map[string]any) (int64, types.Position, error) {
	res, err := w.query.Query(ctx, query.Text{Principal: who, SQL: st.Source.Text, Script: script, Offset: st.Source.Offset}, query.Run{Args: args, Limit: maxInsertRows})
	if err != nil {
		return 0, types.Position{}, err
	}
	defer res.Rows.Close()
	rows := ingest.Rows{}
	for _, c := range st.Columns {
		rows.Columns = append(rows.Columns, c.Name)
	}
	for {
		rec, err := res.Rows.Next(ctx)
		if err != nil {
			return 0, types.Position{}, err
		}
		if rec == nil {
			break
		}
		copied, err := copyRecord(rec)
		if err != nil {
			return 0, types.Position{}, err
		}
		rows.Records = append(rows.Records, copied)
	}
	if res.Rows.Truncated() {
		return 0, types.Position{}, types.Errorf(types.LimitExceeded, "the INSERT has more than %d rows; nothing was written", maxInsertRows).
			WithHint("split it, or use `leat send`")
	}
	done, err := w.ingest.Write(ctx, who, st.Target.Name, rows)
	return int64(done.Accepted), done.Position, w.visible(ctx, done.Position, err)
}

// copyRecord copies a record that is valid only until the next is read.
func copyRecord(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	columns := make([]arrow.Array, rec.NumCols())
	for i := range columns {
		c, err := array.Concatenate([]arrow.Array{rec.Column(i)}, memory.DefaultAllocator)
		if err != nil {
			return nil, err
		}
		columns[i] = c
	}
	return array.NewRecordBatch(rec.Schema(), columns, rec.NumRows()), nil
}

func (w rowWriter) Delete(ctx context.Context, who auth.Principal, script string, st *ddl.Delete, args map[string]any) (int64, types.Position, error) {
	keys, err := deleteKeys(script, st, args)
	if err != nil {
		return 0, types.Position{}, err
	}
	done, err := w.ingest.Delete(ctx, who, st.Target.Name, keys)
	return int64(done.Accepted), done.Position, w.visible(ctx, done.Position, err)
}

// visible waits until SQL and all views see a statement's rows: the next statement expects to.
func (w rowWriter) visible(ctx context.Context, p types.Position, err error) error {
	if err != nil {
		return err
	}
	return sight(w).Wait(ctx, p)
}

// deleteKeys makes a record of texts; ingest gives them the types of the key.
func deleteKeys(script string, st *ddl.Delete, args map[string]any) (ingest.Rows, error) {
	var rows ingest.Rows
	var cols []arrow.Array
	var kinds []types.Type
	for i, c := range st.Columns {
		rows.Columns, kinds = append(rows.Columns, c.Name), append(kinds, types.Of(types.Varchar))
		b := array.NewStringBuilder(memory.DefaultAllocator)
		for _, key := range st.Keys {
			text, err := keyText(script, key[i], args)
			if err != nil {
				return rows, err
			}
			b.Append(text)
		}
		cols = append(cols, b.NewArray())
	}
	rows.Records = []arrow.RecordBatch{duck.Record(rows.Columns, kinds, cols, len(st.Keys))}
	return rows, nil
}

func keyText(script string, v ddl.Value, args map[string]any) (string, error) {
	line, column := types.Place(script, v.Pos)
	switch {
	case v.Null:
		return "", types.Errorf(types.InvalidArgument, "a key is never NULL").At(line, column)
	case v.Param == "":
		return v.Text, nil
	}
	arg, ok := args[v.Param]
	if !ok || arg == nil {
		return "", types.Errorf(types.InvalidArgument, "the parameter $%s has no value", v.Param).At(line, column)
	}
	return query.TextOf(arg), nil
}
