package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/endpoint"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/store"
	"leat/internal/types"
)

// Bounds of an explanation.
const (
	// MaxWhyRows is how many rows it shows of each input, and of an endpoint's answer; maxWhyBytes is about how large all of them may be.
	MaxWhyRows  = 1000
	maxWhyBytes = 32 << 20
	// maxWhyInputs is how many inputs it shows, those of views that are read on the way included, and maxWhyDepth how deep these may stand on
	// each other. More is types.QueryTooComplex.
	maxWhyInputs = 100
	maxWhyDepth  = 16
)

// Tracer knows the plans by which materialized views are kept; a Planner that is one lets Why answer.
type Tracer interface {
	// ViewPlan is a view's plan over the relations that it reads; its columns are the view's. nil where there is none.
	ViewPlan(id types.ObjectID) plan.Node
}

// WhyRequest asks where a row comes from: one of a materialized view by its whole key, or the rows of a call of an endpoint that is answered from
// one view or table.
type WhyRequest struct {
	Principal auth.Principal
	// View is a materialized view's name, and Key or Columns are as in Lookup. Where it is "", Endpoint is called with Args.
	View     string
	Key      *string
	Columns  []KeyValue
	Endpoint string
	Args     map[string]any
	Freshness
}

// Why says where rows come from.
type Why struct {
	// Object is the view or endpoint, View the relation that has the rows: the view itself, or what the endpoint reads.
	Object, View *catalog.Object
	// Rows are the rows that are explained; there may be none.
	Rows Records
	// Inputs are what they were made from: those of the view, or what the endpoint reads.
	Inputs []WhyInput
	// Position is up to where the view had read its inputs, of which the log's later rows are left out. Watermark and Lag are as in Result.
	Position  types.Position
	Watermark int64
	Lag       time.Duration
	// Exact says that the query over the rows of Inputs gives these rows; else Notes say why it may not.
	Exact bool
	Notes []string
}

// WhyInput are the rows of one relation on which rows depend.
type WhyInput struct {
	Object *catalog.Object
	// Predicate is the condition in SQL that they fulfil; "" for filtered principals.
	Predicate string
	Rows      Records
	// Inputs are those of a materialized view.
	Inputs []WhyInput
}

// Records are rows in memory.
type Records struct {
	Columns []types.Column
	Records []arrow.RecordBatch
	// Truncated says that there are more.
	Truncated bool
}

// Why answers where rows come from. Beside read it takes the scope raw: input rows are as they were sent. Errors are those of a look-up or call,
// types.Unsupported with a reason where it can't be told, and types.NotFound where the view has no such row.
func (s *Service) Why(ctx context.Context, r WhyRequest) (*Why, error) {
	if !r.Principal.May(auth.Raw, "") {
		return nil, types.Errorf(types.PermissionDenied, "this token may not see the rows behind an answer").WithHint("it needs the scope raw")
	}
	tracer, ok := s.Planner.(Tracer)
	finder, finds := s.Store.(store.Finder)
	if !ok || !finds {
		return nil, types.Errorf(types.Unsupported, "this server can't tell where rows come from")
	}
	e := &explaining{service: s, ctx: ctx, tracer: tracer, finder: finder, principal: r.Principal, snapshot: s.Catalog()}
	st, args, err := e.statement(r)
	if err != nil {
		return nil, err
	}
	why, err := e.explain(st, Run{Args: args, Limit: MaxWhyRows, Freshness: r.Freshness})
	if err == nil && r.View != "" && why.Rows.count() == 0 {
		return nil, types.Errorf(types.NotFound, "view %.80q has no row with that key", r.View)
	}
	return why, err
}

// explaining is one call of Why.
type explaining struct {
	service   *Service
	ctx       context.Context // of the one call that owns it
	tracer    Tracer
	finder    store.Finder
	principal auth.Principal
	snapshot  *catalog.Snapshot
	object    *catalog.Object
	out       Why
	inputs    int
	// bytes are those of all rows so far.
	bytes uint64
}

// statement prepares the SELECT of the rows.
func (e *explaining) statement(r WhyRequest) (*Statement, map[string]any, error) {
	if r.View == "" {
		o, args, st, err := e.service.called(e.ctx, CallRequest{Principal: r.Principal, Name: r.Endpoint, Run: Run{Args: r.Args}})
		e.object = o
		return st, args, err
	}
	o := e.snapshot.ByName(r.View)
	switch {
	case !r.Principal.May(auth.Read, r.View):
		return nil, nil, denied(r.View)
	case o == nil || !o.Continuous():
		return nil, nil, types.Errorf(types.NotFound, "there is no materialized view %.80q", r.View).WithHint("SHOW VIEWS lists them")
	}
	e.object = o
	text, err := rowText(o, r)
	if err != nil {
		return nil, nil, err
	}
	t := Text{Principal: r.Principal, SQL: text}
	v, err := e.service.check(e.ctx, t, e.snapshot)
	if err != nil {
		return nil, nil, err
	}
	st := &Statement{text: t, verdict: v, reads: e.service.reads(e.snapshot, v), catalog: e.snapshot.Version(), ways: &ways{}, described: &described{}, declared: map[string]types.Type{}}
	for _, f := range v.Filters {
		st.declared[f.Param] = f.Column.Type
	}
	return st, map[string]any{}, nil
}

// rowText is the SELECT of the row with a whole key.
func rowText(o *catalog.Object, r WhyRequest) (string, error) {
	m := o.View.Materialized
	if m.Key == nil {
		return "", types.Errorf(types.Unsupported, "rows of %q have no key: one of them can't be told from the others", o.Name)
	}
	given := r.Columns
	if r.Key != nil && len(m.Key) == 1 {
		given = []KeyValue{{Column: m.Schema.Columns[m.Key[0]].Name, Text: r.Key}}
	}
	wants := types.Errorf(types.InvalidArgument, "_why wants the whole key of %q: %s", o.Name, keyNames(o))
	if len(given) != len(m.Key) || r.Key != nil && len(m.Key) != 1 {
		return "", wants
	}
	tests := []string{"true"}
	for _, k := range m.Key {
		c := m.Schema.Columns[k]
		i := slices.IndexFunc(given, func(v KeyValue) bool {
			return strings.EqualFold(strings.TrimSuffix(v.Column, ".null"), c.Name) || strings.EqualFold(v.Column, c.Name)
		})
		if i < 0 {
			return "", wants
		}
		test, err := keyTest(c, given[i])
		if err != nil {
			return "", err
		}
		tests = append(tests, test)
	}
	return "SELECT * FROM public." + types.QuoteIdent(o.Name) + " WHERE " + strings.Join(tests, " AND "), nil
}

func keyTest(c types.Column, given KeyValue) (string, error) {
	name := types.QuoteIdent(c.Name)
	if given.Text == nil || !strings.EqualFold(given.Column, c.Name) {
		return name + " IS NULL", nil
	}
	if _, err := endpoint.Value(c.Type, *given.Text); err != nil || !filterable[c.Type.Kind] {
		e := types.Errorf(types.InvalidArgument, "column %s is %s, which %.60q is not", name, c.Type, *given.Text)
		e.Path = c.Name
		return "", e
	}
	return name + " = CAST(" + types.QuoteLiteral(*given.Text) + " AS " + c.Type.String() + ")", nil
}

func keyNames(o *catalog.Object) string {
	if len(o.View.Materialized.Key) == 0 {
		return "it is empty, since the view has one row"
	}
	var names []string
	for _, k := range o.View.Materialized.Key {
		names = append(names, types.QuoteIdent(o.View.Materialized.Schema.Columns[k].Name))
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// explain runs the statement on a moment, and traces its rows down from there.
func (e *explaining) explain(st *Statement, r Run) (*Why, error) {
	s := e.service
	r.Args = Values(r.Args)
	if err := st.bindFilters(r.Args); err != nil {
		return nil, err
	}
	w := s.way(e.ctx, st, r.Args)
	if w == nil || w.plan == nil {
		reason := "it is more than a look-up, a range or a filter of one view or table"
		if w != nil {
			reason = w.reason
		}
		return nil, types.Errorf(types.Unsupported, "where rows of %q come from can't be told: %s", e.object.Name, reason).
			WithHint("ask for _why of a view's row: /v1/views/<view>/rows?...&_why=1")
	}
	needs, err := e.trace(st, r.Args)
	if err != nil {
		return nil, err
	}
	if err := s.wait(e.ctx, r.Freshness, st.reads); err != nil {
		return nil, err
	}
	m, err := s.moment(e.ctx, st.reads)
	if err != nil {
		return nil, err
	}
	defer m.release()
	seen := m.result(e.ctx)
	e.out.Object, e.out.View = e.object, e.snapshot.ByID(w.plan.Relation)
	e.out.Position, e.out.Watermark, e.out.Lag = seen.Position, seen.Watermark, seen.Lag
	if e.out.View == nil {
		return nil, types.Errorf(types.Unavailable, "the view is being defined anew").WithHint("ask again")
	}
	if snap := m.pinned.View(w.plan.Relation); snap != nil {
		if rows := w.plan.Run(snap, r.Args, r.Limit); rows != nil {
			e.out.Rows, err = e.collect(rows)
		}
	}
	if err == nil && e.out.Rows.Columns == nil {
		e.out.Rows, err = e.query(store.Query{SQL: st.verdict.SQL, Args: r.Args, MaxRows: r.Limit, Live: m.pinned})
	}
	// The store may be behind the engine.
	if err == nil {
		err = s.Waiter.Wait(e.ctx, e.out.Position)
	}
	if err == nil {
		err = e.down(needs, m)
	}
	if err != nil {
		return nil, err
	}
	if e.out.Rows.Truncated {
		e.note("more rows are answered than the %d that are explained", MaxWhyRows)
	}
	e.out.Exact = len(e.out.Notes) == 0
	return &e.out, nil
}

// trace finds what the statement's rows are of the one relation that it reads.
func (e *explaining) trace(st *Statement, args map[string]any) (opt.Trace, error) {
	node, err := e.service.Planner.BindQuery(e.ctx, st.verdict.SQL, e.snapshot)
	if err != nil {
		return opt.Trace{}, err
	}
	if node, err = withValues(node, args); err != nil {
		return opt.Trace{}, err
	}
	return opt.TraceRows(node, []*plan.Expr{nil}), nil
}

// down explains what the statement reads: for a look-up the view's inputs, for an endpoint the relation itself.
func (e *explaining) down(found opt.Trace, m *moment) error {
	inputs, err := e.below(found, m, 0)
	if err != nil {
		return err
	}
	if e.object.Endpoint != nil {
		e.out.Inputs = inputs
		return nil
	}
	e.out.Inputs = inputs[0].Inputs
	return nil
}

// note adds a reason why the explanation is not exact.
func (e *explaining) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(e.out.Notes, text) {
		e.out.Notes = append(e.out.Notes, text)
	}
}

func (e *explaining) query(q store.Query) (Records, error) {
	rows, err := e.service.Store.Query(e.ctx, q)
	if err != nil {
		return Records{}, e.hide(err)
	}
	return e.collect(rows)
}

// hide leaves the code of the store's error to a principal who sees some rows only.
func (e *explaining) hide(err error) error {
	if e.principal.Filtered() {
		return scrub(err)
	}
	return err
}

// collect reads rows into memory and closes them.
func (e *explaining) collect(rows store.Rows) (Records, error) {
	defer rows.Close()
	out := Records{Columns: rows.Columns()}
	for e.bytes < maxWhyBytes {
		rec, err := rows.Next(e.ctx)
		if err != nil {
			return out, e.hide(err)
		}
		if rec == nil {
			out.Truncated = rows.Truncated()
			return out, nil
		}
		columns := make([]arrow.Array, rec.NumCols())
		for i := range columns {
			if columns[i], err = array.Concatenate([]arrow.Array{rec.Column(i)}, memory.DefaultAllocator); err != nil {
				return out, types.Errorf(types.Internal, "copying rows: %w", err)
			}
			e.bytes += columns[i].Data().SizeInBytes()
		}
		out.Records = append(out.Records, array.NewRecordBatch(rec.Schema(), columns, rec.NumRows()))
	}
	out.Truncated = true
	return out, nil
}

func (r Records) count() (n int64) {
	for _, rec := range r.Records {
		n += rec.NumRows()
	}
	return n
}
