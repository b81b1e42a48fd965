package app

import (
	"context"
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"leat/internal/auth"
	"leat/internal/control"
	"leat/internal/endpoint"
	"leat/internal/ingest"
	"leat/internal/pgwire"
	"leat/internal/query"
	"leat/internal/sql/ddl"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

// pgBackend runs the statements of the PostgreSQL protocol.
type pgBackend struct{ *server }

// Prepare implements pgwire.Backend.
func (b pgBackend) Prepare(ctx context.Context, t pgwire.Text, given []types.Type) (pgwire.Prepared, error) {
	if call, ok, err := b.parseCall(t); ok || err != nil {
		if err != nil {
			return nil, err
		}
		return b.prepareCall(ctx, t, call, given)
	}
	statements, err := ddl.Parse(t.SQL)
	if err != nil {
		return nil, inScript(err, t)
	}
	if len(statements) != 1 {
		return nil, types.Errorf(types.SyntaxError, "one statement is expected, not %d", len(statements))
	}
	one := pgStatement{backend: b, text: t}
	switch st := statements[0].(type) {
	case *ddl.Select:
		return b.prepareSelect(ctx, one, st, given)
	case *ddl.Insert:
		return b.prepareInsert(ctx, one, st, given)
	case *ddl.Delete:
		return b.prepareDelete(one, st)
	}
	if t.Principal.Filtered() { // definitions name what it may not see, and SHOW counts rows of others
		return nil, types.Errorf(types.PermissionDenied, "this token sees some rows only, so it is not told of definitions").
			WithHint("ask pg_catalog or information_schema what there is, or GET /v1/endpoints")
	}
	script := &pgScript{pgStatement: one, statements: statements}
	if changes(statements[0]) {
		script.kind = pgwire.Defines
		return script, nil
	}
	// Questions about definitions are quick: their columns are those of an answer.
	res, err := script.Run(ctx, nil, 0)
	if err != nil {
		return nil, err
	}
	if res.Rows != nil {
		script.columns = res.Rows.Columns()
	}
	return script, nil
}

// inScript moves an error's place from a statement to the script that holds it.
func inScript(err error, t pgwire.Text) error {
	e := types.AsError(err)
	if e.Line == 0 || t.Script == "" || t.Offset == 0 {
		return err
	}
	line, column := types.Place(t.Script, t.Offset)
	shown := *e
	if e.Line == 1 {
		shown.Column += column - 1
	}
	shown.Line += line - 1
	return &shown
}

// pgStatement is what all prepared statements have.
type pgStatement struct {
	backend pgBackend
	text    pgwire.Text
	kind    pgwire.Kind
	params  []types.Type
	columns []types.Column
}

// Kind, Params and Columns implement pgwire.Prepared.
func (s *pgStatement) Kind() pgwire.Kind       { return s.kind }
func (s *pgStatement) Params() []types.Type    { return s.params }
func (s *pgStatement) Columns() []types.Column { return s.columns }

// queryText is a part of the statement as query takes it.
func (s *pgStatement) queryText(q ddl.Query) query.Text {
	script := s.text.Script
	if script == "" {
		script = s.text.SQL
	}
	return query.Text{Principal: s.text.Principal, SQL: q.Text, Script: script, Offset: s.text.Offset + q.Offset}
}

// pgSelect is a SELECT.
type pgSelect struct {
	pgStatement
	query *query.Statement
	// cast says that the text is not the one that was sent, so that places in it mean nothing.
	cast bool
	// names are the keys of the arguments.
	names []string
}

func (b pgBackend) prepareSelect(ctx context.Context, one pgStatement, st *ddl.Select, given []types.Type) (pgwire.Prepared, error) {
	p, err := b.selection(ctx, one, st.Query, given, nil)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// selection prepares a query. Parameters get the types that were given, or those of want, or those that the text gives them.
func (b pgBackend) selection(ctx context.Context, one pgStatement, q ddl.Query, given []types.Type, want map[string]types.Type) (*pgSelect, error) {
	p := &pgSelect{pgStatement: one}
	text := p.queryText(q)
	var err error
	if p.query, err = b.query.Prepare(ctx, text); err != nil {
		return nil, err
	}
	var params []query.Param
	if p.columns, params, err = b.query.Describe(ctx, p.query); err != nil {
		return nil, err
	}
	casts := map[string]types.Type{}
	for _, param := range params {
		n, err := paramNumber(param.Name)
		if err != nil {
			return nil, err
		}
		for len(p.params) < n {
			p.params, p.names = append(p.params, types.Type{}), append(p.names, strconv.Itoa(len(p.params)+1))
		}
		inferred := param.Type
		if param.Open {
			inferred = types.Type{}
		}
		if t, ok := want[param.Name]; ok {
			inferred = t
		}
		var client types.Type
		if n <= len(given) {
			client = given[n-1]
		}
		t := paramType(client, inferred)
		p.params[n-1] = t
		if inferred.Kind != types.Invalid && client.Kind == types.Invalid {
			p.params[n-1] = inferred
		}
		if !native(t) {
			casts[param.Name] = t
		}
	}
	for i := range p.params {
		if p.params[i].Kind == types.Invalid {
			p.params[i] = types.Of(types.Varchar)
		}
	}
	if len(casts) == 0 && p.columns != nil {
		return p, nil
	}
	if p.columns == nil { // they depend on the types of the parameters
		for i, t := range p.params {
			casts[p.names[i]] = t
		}
	}
	p.cast, text.SQL = true, guard.WithCasts(q.Text, casts)
	if p.query, err = b.query.Prepare(ctx, text); err != nil {
		return nil, placeless(err)
	}
	if p.columns, _, err = b.query.Describe(ctx, p.query); err != nil {
		return nil, placeless(err)
	}
	return p, nil
}

// maxPGParam is the greatest number of a parameter: the protocol counts them with 16 bits, and there are types and values for all up to it.
const maxPGParam = 65_535

// paramNumber reads the name of a parameter.
func paramNumber(name string) (int, error) {
	n, err := strconv.Atoi(name)
	if err != nil || n < 1 || n > maxPGParam {
		return 0, types.Errorf(types.InvalidArgument, "parameter $%.40s: the parameters of this protocol are $1, $2, ... up to $%d", name, maxPGParam)
	}
	return n, nil
}

// placeless drops an error's place in a text that nobody sent.
func placeless(err error) error {
	e := types.AsError(err)
	if e.Line == 0 {
		return err
	}
	shown := *e
	shown.Line, shown.Column = 0, 0
	return &shown
}

// native reports whether arguments of a type have a Go type of their own, which needs no cast.
func native(t types.Type) bool {
	switch t.Kind {
	case types.Invalid, types.Boolean, types.TinyInt, types.SmallInt, types.Integer, types.BigInt, types.UTinyInt, types.USmallInt, types.UInteger,
		types.Float, types.Double, types.Varchar, types.Blob:
		return true
	}
	return false
}

// openNumeric is the type of a numeric parameter where nothing else says its scale.
var openNumeric = types.DecimalOf(38, 12)

// paramType is the type in which a parameter is bound: the client's, unless it says less than what the text asks for.
func paramType(client, inferred types.Type) types.Type {
	numeric := client.Kind == types.Decimal && client.Precision == 0
	switch {
	case client.Kind == types.Invalid:
		return inferred
	case numeric && (inferred.Kind == types.Decimal || inferred.Kind == types.Double || inferred.Kind == types.Float):
		return inferred
	case numeric:
		return openNumeric
	case inferred.Kind == types.Invalid, client.Kind == inferred.Kind:
		return client
	case client.Kind == types.Varchar, client.Kind.IsInteger() && inferred.Kind.IsNumeric():
		return inferred
	}
	return client
}

// Run implements pgwire.Prepared.
func (p *pgSelect) Run(ctx context.Context, args []any, limit int) (pgwire.Result, error) {
	grant, err := p.backend.admit(p.text.Principal, "")
	if err != nil {
		return pgwire.Result{}, err
	}
	var named map[string]any
	if len(args) > 0 {
		named = make(map[string]any, len(args))
		for i, v := range args {
			named[p.names[i]] = v
		}
	}
	res, err := p.backend.query.Run(ctx, p.query, query.Run{Args: named, Limit: limit})
	if err != nil {
		grant.Release()
		if p.cast {
			err = placeless(err)
		}
		return pgwire.Result{}, err
	}
	return pgwire.Result{Rows: granted(res.Rows, grant)}, nil
}

// admit asks the limits of a principal, and of the endpoint that it calls.
func (b pgBackend) admit(p auth.Principal, name string) (auth.Grant, error) {
	most := auth.Limits{}
	if name != "" {
		most = b.guards().EndpointLimits(name)
	}
	return b.limiter.Admit(p, name, most)
}

// granted ends a grant with the result.
func granted(rows pgwire.Rows, g auth.Grant) pgwire.Rows {
	if g == (auth.Grant{}) {
		return rows
	}
	return &grantedRows{rows, g}
}

type grantedRows struct {
	pgwire.Rows
	grant auth.Grant
}

// Close is part of pgwire.Rows.
func (r *grantedRows) Close() error {
	r.grant.Release()
	r.grant = auth.Grant{}
	return r.Rows.Close()
}

// pgInsert is an INSERT.
type pgInsert struct {
	*pgSelect
	insert *ddl.Insert
}

func (b pgBackend) prepareInsert(ctx context.Context, one pgStatement, st *ddl.Insert, given []types.Type) (pgwire.Prepared, error) {
	var names []string
	for _, c := range st.Columns {
		names = append(names, c.Name)
	}
	if !one.text.Principal.May(auth.Append, st.Target.Name) {
		return nil, types.Errorf(types.PermissionDenied, "this token may not append to %q", st.Target.Name).WithHint("it needs the scope append:%s", st.Target.Name)
	}
	columns, err := b.targetColumns(st.Target.Name, names)
	if err != nil {
		return nil, err
	}
	want := map[string]types.Type{}
	for name, at := range valueColumns(st.Source.Text) {
		if at >= 0 && at < len(columns) {
			want[name] = columns[at].Type
		}
	}
	p, err := b.selection(ctx, one, st.Source, given, want)
	if err != nil {
		return nil, err
	}
	p.kind, p.columns = pgwire.Writes, nil
	return &pgInsert{p, st}, nil
}

// Run implements pgwire.Prepared.
func (p *pgInsert) Run(ctx context.Context, args []any, _ int) (pgwire.Result, error) {
	res, err := p.pgSelect.Run(ctx, args, maxInsertRows)
	if err != nil {
		return pgwire.Result{}, err
	}
	defer func() { _ = res.Rows.Close() }() // what failed was told by Next
	w := &pgwire.Write{Table: p.insert.Target.Name}
	for _, c := range p.insert.Columns {
		w.Columns = append(w.Columns, c.Name)
	}
	for {
		rec, err := res.Rows.Next(ctx)
		if err != nil {
			return pgwire.Result{}, err
		}
		if rec == nil {
			break
		}
		copied, err := copyRecord(rec)
		if err != nil {
			return pgwire.Result{}, err
		}
		w.Records = append(w.Records, copied)
	}
	if res.Rows.Truncated() {
		return pgwire.Result{}, types.Errorf(types.LimitExceeded, "the INSERT has more than %d rows; nothing was written", maxInsertRows).WithHint("split it, or use COPY")
	}
	return pgwire.Result{Write: w, Tag: "INSERT 0 "}, nil
}

// pgDelete is a DELETE of rows by their keys.
type pgDelete struct {
	pgStatement
	delete *ddl.Delete
}

func (b pgBackend) prepareDelete(one pgStatement, st *ddl.Delete) (pgwire.Prepared, error) {
	var names []string
	for _, c := range st.Columns {
		names = append(names, c.Name)
	}
	columns, err := b.targetColumns(st.Target.Name, names)
	if err != nil {
		return nil, err
	}
	p := &pgDelete{one, st}
	p.kind = pgwire.Writes
	for _, key := range st.Keys {
		for i, v := range key {
			if v.Param == "" {
				continue
			}
			n, err := paramNumber(v.Param)
			if err != nil {
				return nil, err
			}
			for len(p.params) < n {
				p.params = append(p.params, types.Of(types.Varchar))
			}
			p.params[n-1] = columns[i].Type
		}
	}
	return p, nil
}

// Run implements pgwire.Prepared.
func (p *pgDelete) Run(_ context.Context, args []any, _ int) (pgwire.Result, error) {
	keys, err := deleteKeys(p.text.SQL, p.delete, numbered(args))
	if err != nil {
		return pgwire.Result{}, inScript(err, p.text)
	}
	return pgwire.Result{Write: &pgwire.Write{Table: p.delete.Target.Name, Columns: keys.Columns, Records: keys.Records, Delete: true}, Tag: "DELETE "}, nil
}

// numbered names arguments by their numbers.
func numbered(args []any) map[string]any {
	out := make(map[string]any, len(args))
	for i, v := range args {
		out[strconv.Itoa(i+1)] = v
	}
	return out
}

// pgScript is a definition, SHOW, DESCRIBE or EXPLAIN.
type pgScript struct {
	pgStatement
	statements []ddl.Statement
}

// Run implements pgwire.Prepared.
func (p *pgScript) Run(ctx context.Context, _ []any, _ int) (pgwire.Result, error) {
	ctx = auth.WithOrigin(ctx, auth.Origin{Remote: p.text.Remote})
	done, err := p.backend.exec(ctx, p.text.Principal, control.Script{Text: p.text.SQL, Statements: p.statements})
	if err != nil {
		return pgwire.Result{}, inScript(err, p.text)
	}
	last := done.Results[len(done.Results)-1]
	if last.Table != nil {
		return pgwire.Result{Rows: newTableRows(last.Table), Tag: strings.ToUpper(strings.Fields(p.text.SQL)[0])}, nil
	}
	return pgwire.Result{Tag: last.Statement}, nil
}

// Target implements pgwire.Backend.
func (b pgBackend) Target(_ context.Context, who auth.Principal, table string, columns []string) ([]types.Column, error) {
	if !who.May(auth.Append, table) {
		return nil, types.Errorf(types.PermissionDenied, "this token may not append to %q", table).WithHint("it needs the scope append:%s", table)
	}
	return b.targetColumns(table, columns)
}

// Write implements pgwire.Backend.
func (b pgBackend) Write(ctx context.Context, who auth.Principal, w pgwire.Write) (int64, error) {
	rows := ingest.Rows{Columns: w.Columns, Records: w.Records}
	write := b.ingest.Write
	if w.Delete {
		write = b.ingest.Delete
	}
	if err := b.loader.Pace(ctx); err != nil {
		return 0, err
	}
	done, err := write(ctx, who, w.Table, rows)
	if err != nil || w.More {
		return int64(done.Accepted), err
	}
	return int64(done.Accepted), rowWriter(b).visible(ctx, done.Position, nil)
}

// pgCall is the call of an endpoint: CALL e($1, p => 'x'), or SELECT * FROM e(...) as drivers spell it.
type pgCall struct {
	name string
	args []callArg
}

// callArg is an argument: a literal (nil is NULL), or the parameter of that number.
type callArg struct {
	name   string
	text   *string
	number int
}

// parseCall reads the call of an endpoint; ok is false for other statements.
func (b pgBackend) parseCall(t pgwire.Text) (*pgCall, bool, error) {
	name, inner, ok := pgwire.Call(t.SQL)
	if !ok {
		return nil, false, nil
	}
	o := b.catalog.Snapshot().ByName(name)
	if o == nil || o.Endpoint == nil {
		if _, called := cutWord(t.SQL, "CALL"); called {
			return nil, true, types.Errorf(types.NotFound, "there is no endpoint %.80q", name).WithHint("SHOW ENDPOINTS lists them")
		}
		return nil, false, nil
	}
	call := &pgCall{name: name}
	for i, a := range inner {
		arg := callArg{name: a.Name, text: a.Text, number: a.Param}
		if arg.name == "" {
			if i >= len(o.Endpoint.Params) {
				return nil, true, types.Errorf(types.InvalidArgument, "endpoint %s has %d parameters", name, len(o.Endpoint.Params))
			}
			arg.name = o.Endpoint.Params[i].Name
		}
		call.args = append(call.args, arg)
	}
	return call, true, nil
}

// pgCalled is a prepared call.
type pgCalled struct {
	pgStatement
	call *pgCall
}

func (b pgBackend) prepareCall(ctx context.Context, t pgwire.Text, call *pgCall, given []types.Type) (pgwire.Prepared, error) {
	o := b.catalog.Snapshot().ByName(call.name)
	if !t.Principal.May(auth.Read, o.Name) {
		return nil, types.Errorf(types.PermissionDenied, "this token may not read %q", o.Name).WithHint("it needs the scope read:%s", o.Name)
	}
	st, err := b.query.Endpoint(ctx, t.Principal, o)
	if err != nil {
		return nil, err
	}
	p := &pgCalled{pgStatement{backend: b, text: t}, call}
	if p.columns, _, err = b.query.Describe(ctx, st); err != nil {
		return nil, err
	}
	declared := maps.Clone(endpoint.Casts(o.Endpoint))
	for _, a := range call.args {
		for len(p.params) < a.number {
			p.params = append(p.params, types.Of(types.Varchar))
		}
		if a.number == 0 {
			continue
		}
		if t, ok := declared[a.name]; ok {
			p.params[a.number-1] = t
		}
		if a.number <= len(given) && given[a.number-1].Kind != types.Invalid {
			p.params[a.number-1] = given[a.number-1]
		}
	}
	return p, nil
}

// Run implements pgwire.Prepared.
func (p *pgCalled) Run(ctx context.Context, args []any, limit int) (pgwire.Result, error) {
	values := make(map[string]any, len(p.call.args))
	for _, a := range p.call.args {
		switch {
		case a.number > 0:
			values[a.name] = jsonValue(args[a.number-1])
		case a.text == nil:
			values[a.name] = nil
		default:
			values[a.name] = *a.text
		}
	}
	grant, err := p.backend.admit(p.text.Principal, p.call.name)
	if err != nil {
		return pgwire.Result{}, err
	}
	res, err := p.backend.query.Call(ctx, query.CallRequest{Principal: p.text.Principal, Name: p.call.name, Run: query.Run{Args: values, Limit: limit}})
	if err != nil {
		grant.Release()
		return pgwire.Result{}, err
	}
	return pgwire.Result{Rows: granted(res.Rows, grant)}, nil
}

// jsonValue is an argument as an endpoint takes it: a value of JSON.
func jsonValue(v any) any {
	switch v := v.(type) {
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case float64:
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
	}
	return v
}
