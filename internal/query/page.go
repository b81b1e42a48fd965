package query

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/endpoint"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

// PageRequest asks for a page of an endpoint's rows: Run.Limit of them at most, DefaultPage for 0, and no more than MaxPage.
type PageRequest struct {
	CallRequest
	// Cursor is PageResult.Cursor of the page before, "" for the first page.
	Cursor string
}

// PageResult is a page. Its Rows are there already, so that nothing waits for their reader.
type PageResult struct {
	*Result
	// Cursor leads to the rows behind these, "" where there are none.
	Cursor string
}

// Page calls an endpoint for some of its rows at a time. They come in the order of the query's ORDER BY, made total by all columns of the result;
// the next page has the rows behind the last one in that order. So a row that exists all the while is on exactly one page, whatever comes or goes
// meanwhile. A query whose ORDER BY is no output column is types.InvalidArgument.
func (s *Service) Page(ctx context.Context, r PageRequest) (*PageResult, error) {
	o, args, st, err := s.called(ctx, r.CallRequest)
	if err != nil {
		return nil, err
	}
	if res, err := s.whole(ctx, r, args, st); res != nil || err != nil {
		return res, err
	}
	p, err := s.pager(ctx, r, o, args, st)
	if err != nil {
		return nil, inEndpoint(o.Name, err)
	}
	res, err := p.read(ctx, s)
	if err != nil {
		return nil, inEndpoint(o.Name, err)
	}
	return res, nil
}

// whole answers a request for the first page where all rows fit on it and come straight from the engine's state: no order is needed then. nil is
// for the others.
func (s *Service) whole(ctx context.Context, r PageRequest, args map[string]any, st *Statement) (*PageResult, error) {
	if w := s.way(ctx, st, Values(args)); r.Cursor != "" || r.Limit > MaxPage || w == nil || w.plan == nil {
		return nil, nil
	}
	run := r.Run
	run.Args = args
	if run.Limit == 0 {
		run.Limit = DefaultPage
	}
	res, err := s.Run(ctx, st, run)
	if err != nil {
		return nil, inEndpoint(r.Name, err)
	}
	if res.Rows == nil || res.Direct && !res.Rows.Truncated() {
		return &PageResult{Result: res}, nil
	}
	return nil, res.Rows.Close()
}

// called prepares a call: the endpoint, its arguments and its statement.
func (s *Service) called(ctx context.Context, r CallRequest) (*catalog.Object, map[string]any, *Statement, error) {
	o := s.Catalog().ByName(r.Name)
	if o == nil || o.Endpoint == nil {
		return nil, nil, nil, types.Errorf(types.NotFound, "there is no endpoint %.80q", r.Name).WithHint("SHOW ENDPOINTS lists them")
	}
	if !r.Principal.May(auth.Read, o.Name) {
		return nil, nil, nil, denied(o.Name)
	}
	args, err := endpoint.Bind(o.Endpoint, r.Args, r.Principal.Params)
	if err != nil {
		return nil, nil, nil, err
	}
	st, err := s.Endpoint(ctx, r.Principal, o)
	return o, args, st, err
}

// sortKey is one key of a page's order: an output column, as it is or as its text.
type sortKey struct {
	column                 int
	text                   bool
	descending, nullsFirst bool
}

// pager reads one page.
type pager struct {
	request PageRequest
	object  *catalog.Object
	args    map[string]any
	text    string
	columns []types.Column
	keys    []sortKey
	// bound is what a cursor is good for.
	bound string
	limit int
	// last is the key of the last row before the page, nil for the first page; used is how many rows with it came before.
	last []*string
	used int
}

func (s *Service) pager(ctx context.Context, r PageRequest, o *catalog.Object, args map[string]any, st *Statement) (*pager, error) {
	p := &pager{request: r, object: o, args: args, text: st.text.SQL, limit: r.Limit}
	if p.limit == 0 {
		p.limit = DefaultPage
	}
	if p.limit < 0 || p.limit > MaxPage {
		return nil, types.Errorf(types.InvalidArgument, "limit %d: a page has at least 1 row, at most %d", r.Limit, MaxPage)
	}
	if most := r.Principal.Limits.MaxRows; most > 0 {
		p.limit = min(p.limit, most)
	}
	order, err := s.Ordering(ctx, p.text)
	if err != nil {
		return nil, unpageable(err)
	}
	if p.columns, err = s.columnsOf(ctx, st, args); err != nil {
		return nil, err
	}
	if p.keys, err = sortKeys(order, p.columns); err != nil {
		return nil, unpageable(err)
	}
	p.bound = p.binding()
	return p, p.resume(s.Signer)
}

// noPages is how errors of endpoints without pages begin.
const noPages = "there are no pages"

// unpageable says how an endpoint gets pages.
func unpageable(err error) error {
	e := types.Errorf(types.InvalidArgument, noPages+": %s", types.AsError(err).Message).
		WithHint("ORDER BY columns of the result at the end of the endpoint's query, or none: then pages are in the order of all columns")
	e.Path = "_cursor"
	return e
}

// IsUnpageable reports whether an error of Page says that the endpoint has no pages.
func IsUnpageable(err error) bool {
	e, ok := errors.AsType[*types.Error](err)
	return ok && e.Path == "_cursor" && strings.Contains(e.Message, noPages)
}

// columnsOf are the output columns of an endpoint's statement. They don't depend on the arguments, whose types are declared.
func (s *Service) columnsOf(ctx context.Context, st *Statement, args map[string]any) ([]types.Column, error) {
	if columns, _, err := s.Describe(ctx, st); err == nil && columns != nil {
		return columns, nil
	}
	key := columnsKey{st.catalog, st.endpoint}
	if c, ok := s.columns.Get(key); ok {
		return c, nil
	}
	text := st.text
	text.SQL = "SELECT * FROM (\n" + text.SQL + "\n) AS page_ LIMIT 0"
	empty, err := s.prepare(ctx, text, st.endpoint)
	if err != nil {
		return nil, err
	}
	res, err := s.Run(ctx, empty, Run{Args: maps.Clone(args), Limit: 1})
	if err != nil {
		return nil, err
	}
	defer res.Rows.Close()
	columns := slices.Clone(res.Rows.Columns())
	s.columns.Add(key, columns)
	return columns, nil
}

// columnsKey is an endpoint as it was defined at a version of the catalog.
type columnsKey struct {
	catalog  uint64
	endpoint string
}

// sortKeys makes an order total: by all columns that are no key yet, ascending.
func sortKeys(order []guard.Order, columns []types.Column) ([]sortKey, error) {
	var keys []sortKey
	used := make([]bool, len(columns))
	add := func(column int, o guard.Order) {
		if used[column] {
			return
		}
		used[column] = true
		keys = append(keys, sortKey{column, byText(columns[column].Type.Kind), o.Descending, o.NullsFirst})
	}
	for _, o := range order {
		if o.All {
			for i := range columns {
				add(i, o)
			}
			continue
		}
		i := o.Column - 1
		if o.Column == 0 {
			i = slices.IndexFunc(columns, func(c types.Column) bool { return strings.EqualFold(c.Name, o.Name) })
		}
		if i < 0 || i >= len(columns) {
			return nil, types.Errorf(types.InvalidArgument, "the query is ordered by %q, which is none of its columns", o.Name)
		}
		add(i, o)
	}
	for i := range columns {
		add(i, guard.Order{})
		if columns[i].Type.Kind == types.Interval { // 1 month and 30 days are equal and not the same
			keys = append(keys, sortKey{column: i, text: true})
		}
	}
	return keys, nil
}

// byText tells kinds that are ordered by their text: a cursor can't hold their values otherwise.
func byText(k types.Kind) bool { return k.IsNested() || k == types.JSON }

// binding sums up what a cursor depends on.
func (p *pager) binding() string {
	b := fmt.Appendf(nil, "page %d.%d %q", p.object.ID, p.object.Version, p.request.Principal.DataKey())
	for _, name := range slices.Sorted(maps.Keys(p.args)) {
		b = fmt.Appendf(b, " %q=%T%q", name, p.args[name], fmt.Sprint(p.args[name]))
	}
	return string(fmt.Appendf(b, " %v", p.keys))
}

// Bounds of a cursor: it travels in a header and in a URL.
const (
	pageVersion = 1
	maxCursor   = 4 << 10
)

// cursor is the token of the row whose keys are last, of which used came.
func (p *pager) cursor(s Signer, last []*string, used int) (string, error) {
	b := binary.AppendUvarint([]byte{pageVersion}, uint64(used))
	for _, v := range last {
		if v == nil {
			b = append(b, 0)
			continue
		}
		b = append(binary.AppendUvarint(b, uint64(len(*v))+1), *v...)
	}
	if len(b) > maxCursor {
		return "", types.Errorf(types.LimitExceeded, "a cursor behind this page would have %d bytes; the limit is %d", len(b), maxCursor).
			WithHint("a cursor holds all values of a page's last row: leave wide columns out of the endpoint's result")
	}
	return s.Sign(p.bound, b), nil
}

// resume reads the request's cursor.
func (p *pager) resume(s Signer) error {
	if p.request.Cursor == "" {
		return nil
	}
	bad := types.Errorf(types.InvalidArgument, "parameter \"_cursor\" is not from an answer to this call").
		WithHint("send Leat-Cursor of the page before, with the same other parameters; it ends when the endpoint is defined anew")
	bad.Path = "_cursor"
	b, ok := s.Open(p.bound, p.request.Cursor)
	if !ok || len(b) == 0 || b[0] != pageVersion {
		return bad
	}
	b = b[1:]
	next := func() (uint64, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		return v, true
	}
	used, ok := next()
	if !ok || used > MaxLimit-MaxPage-1 {
		return bad
	}
	p.used, p.last = int(used), make([]*string, len(p.keys))
	for i := range p.last {
		n, ok := next()
		if !ok || n > uint64(len(b))+1 {
			return bad
		}
		if n > 0 {
			v := string(b[:n-1])
			p.last[i], b = &v, b[n-1:]
		}
	}
	return nil
}
