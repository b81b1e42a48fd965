package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/auth"
	"leat/internal/auth/authtest"
	"leat/internal/types"
)

// fake is a small Leat in memory: it keeps bodies, answers queries with numbers, and remembers what it was asked.
type fake struct {
	mu      sync.Mutex
	events  map[string][]byte
	sends   []SendRequest
	sql     []SQLRequest
	calls   []EndpointRequest
	puts    map[string]string
	keys    []RowKey
	lookups []Lookup
	purged  []DeadLetterFilter
	replays []Replay
	// rows is how many rows a query answers; failAt makes it fail at that row; block waits for the context.
	rows, failAt int
	block        bool
	entered      chan struct{}
	released     chan struct{}
	// stamp, direct and callErr are those of calls of endpoints, published what is told of every endpoint.
	stamp     string
	direct    bool
	callErr   error
	published *Published
	sendErr   error
	sendAt    types.Position // with sendErr: what is durable nevertheless
	closed    int
}

var testPosition = types.NewPosition(7, []types.Cursor{{Partition: types.PartitionID{Stream: 3}, Next: 12}})

var testSeen = Seen{Position: testPosition, Known: true, Watermark: 1_000_001, Lag: 1500 * time.Microsecond}

// Published is of every endpoint what the test set.
func (f *fake) Published(string) (Published, bool) {
	if f.published == nil {
		return Published{}, false
	}
	return *f.published, true
}

func (f *fake) Send(ctx context.Context, r SendRequest) (SendResult, error) {
	if f.entered != nil {
		f.entered <- struct{}{}
		select {
		case <-f.released:
		case <-ctx.Done():
		}
	}
	body := r.Body
	if r.ContentEncoding == "gzip" {
		zr, err := gzip.NewReader(body)
		if err != nil {
			return SendResult{}, types.Errorf(types.InvalidRecord, "the body is not gzip: %w", err)
		}
		body = zr
	}
	b, err := io.ReadAll(body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sends = append(f.sends, r)
	if err != nil {
		return SendResult{}, fmt.Errorf("read the body: %w", err)
	}
	if f.sendErr != nil {
		return SendResult{Position: f.sendAt}, f.sendErr
	}
	_, existed := f.events[r.Stream]
	f.events[r.Stream] = append(f.events[r.Stream], b...)
	result := SendResult{Accepted: int64(bytes.Count(b, []byte("\n"))), Position: testPosition, Created: !existed}
	if bytes.Contains(b, []byte("bad")) {
		result.DeadLetters = 1
		result.FirstErrors = []*types.Error{{Code: types.InvalidRecord, Message: "not a number", Path: "$.n", Line: 2}}
	}
	return result, nil
}

func (f *fake) SQL(ctx context.Context, q SQLRequest) (Outcome, error) {
	f.mu.Lock()
	f.sql = append(f.sql, q)
	f.mu.Unlock()
	word, _, _ := strings.Cut(strings.TrimSpace(q.SQL), " ")
	switch {
	case f.block:
		<-ctx.Done()
		return Outcome{}, fmt.Errorf("query: %w", ctx.Err())
	case strings.EqualFold(word, "panic"):
		panic("boom")
	case strings.EqualFold(word, "secret"):
		return Outcome{}, fmt.Errorf("open /secret/path: no such file")
	case strings.EqualFold(word, "select"):
		return Outcome{Rows: &numbers{fake: f, n: f.rows, failAt: f.failAt}, Seen: testSeen}, nil
	case q.ReadOnly:
		return Outcome{}, types.Errorf(types.NotAllowed, "%s changes something", word)
	case strings.EqualFold(word, "create"):
		return Outcome{Statements: []Done{{Statement: "CREATE STREAM", Name: "orders", Status: "created"}}, Seen: Seen{Position: testPosition}}, nil
	}
	return Outcome{}, types.Errorf(types.SyntaxError, "syntax error at %q", word).At(1, 1).WithHint("start with SELECT")
}

func (f *fake) Endpoint(ctx context.Context, q EndpointRequest) (Outcome, error) {
	f.mu.Lock()
	f.calls = append(f.calls, q)
	out := Outcome{Seen: testSeen, Stamp: f.stamp, Direct: f.direct}
	rows, failAt, err, entered := f.rows, f.failAt, f.callErr, f.entered
	f.mu.Unlock()
	if err != nil {
		return Outcome{}, err
	}
	if out.Stamp != "" && q.Have != nil && q.Have(out.Stamp) {
		return out, nil
	}
	if entered != nil {
		entered <- struct{}{}
		select {
		case <-f.released:
		case <-ctx.Done():
			return Outcome{}, ctx.Err()
		}
	}
	if q.Cursor != nil {
		out.Cursor = "after-" + *q.Cursor
	}
	out.Rows = &numbers{fake: f, n: rows, failAt: failAt}
	return out, nil
}

func (f *fake) Lookup(_ context.Context, l Lookup) (Found, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lookups = append(f.lookups, l)
	found := Found{One: l.Key != nil}
	found.Seen = testSeen
	n := 2
	if found.One {
		found.Watermark, n = types.NoWatermark, 1
		if *l.Key == "nobody" {
			n = 0
		}
	} else if l.Cursor == "" {
		found.Cursor = "more"
	}
	found.Rows = &numbers{fake: f, n: n}
	return found, nil
}

func (f *fake) Row(_ context.Context, k RowKey, _ Freshness) (Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = append(f.keys, k)
	n := 1
	if k.Key == "nobody" {
		n = 0
	}
	return Outcome{Rows: &numbers{fake: f, n: n}, Seen: testSeen}, nil
}

func (f *fake) Put(_ context.Context, k RowKey, body []byte) (types.Position, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = append(f.keys, k)
	f.puts[k.Key] = string(body)
	return testPosition, nil
}

func (f *fake) Delete(_ context.Context, k RowKey) (types.Position, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = append(f.keys, k)
	delete(f.puts, k.Key)
	return testPosition, nil
}

func (f *fake) List(_ context.Context, _ auth.Principal, stream string, filter DeadLetterFilter, limit int) ([]DeadLetter, error) {
	d := DeadLetter{ID: stream + filter.After, At: time.Unix(1, 0), Reason: &types.Error{Code: filter.Reason, Message: "no"}, Raw: []byte(fmt.Sprint(limit))}
	return []DeadLetter{d}, nil
}

func (f *fake) Get(_ context.Context, _ auth.Principal, _, id string) (DeadLetter, error) {
	if id == "none" {
		return DeadLetter{}, types.Errorf(types.NotFound, "no such dead letter")
	}
	return DeadLetter{ID: id, At: time.Unix(1, 0), Raw: []byte{0xff, 0}, Format: "csv", Record: 3, Truncated: true, Token: "abc"}, nil
}

func (f *fake) Replay(_ context.Context, _ auth.Principal, _ string, r Replay) (Replayed, error) {
	f.replays = append(f.replays, r)
	return Replayed{Replayed: int64(len(r.Filter.IDs)), Rows: 5, Position: testPosition}, nil
}

func (f *fake) Purge(_ context.Context, _ auth.Principal, _ string, filter DeadLetterFilter) (int64, error) {
	f.purged = append(f.purged, filter)
	return int64(len(filter.IDs)), nil
}

func (f *fake) Relations(context.Context) ([]Relation, error) {
	return []Relation{{Name: "bids", Kind: "stream"}, {Name: "orders", Kind: "stream", Columns: []Column{{Name: "n", Type: types.Of(types.BigInt)}}}}, nil
}

func (f *fake) Relation(_ context.Context, name string) (Relation, error) {
	if name != "orders" {
		return Relation{}, types.Errorf(types.UnknownRelation, "no %s", name)
	}
	return Relation{Name: name, Kind: "stream", Statement: "CREATE STREAM orders (n BIGINT)"}, nil
}

func (f *fake) Endpoints(context.Context) ([]Endpoint, error) {
	ten := "10"
	return []Endpoint{
		{Name: "busiest", Description: "Busiest airports.", Params: []Param{
			{Name: "state", Type: types.Of(types.Varchar), Required: true}, {Name: "n", Type: types.Of(types.Integer), Default: &ten},
			{Name: "days", Type: types.ListOf(types.Of(types.Date))},
		}},
		{Name: "other"},
	}, nil
}

// Negotiate knows two formats.
func (f *fake) Negotiate(name, accept string) (Format, error) {
	switch {
	case name == "ndjson" || name == "" && accept == "application/x-ndjson":
		return Format{"ndjson", "application/x-ndjson", "ndjson"}, nil
	case name == "json" || name == "" && (accept == "" || strings.Contains(accept, "*/*") || accept == "application/json"):
		return Format{"json", "application/json", "json"}, nil
	case name != "":
		return Format{}, types.Errorf(types.InvalidArgument, "unknown format %q", name)
	}
	return Format{}, types.Errorf(types.NotAcceptable, "nothing fits Accept: %s", accept)
}

// Encode writes one JSON object per row.
func (f *fake) Encode(ctx context.Context, w io.Writer, format Format, rows Rows, o EncodeOptions) error {
	for {
		rec, err := rows.Next(ctx)
		if err != nil || rec == nil {
			return err
		}
		col := rec.Column(0).(*array.Int64)
		for i := range col.Len() {
			quote := ""
			if o.Int64AsString {
				quote = `"`
			}
			if _, err := fmt.Fprintf(w, "{\"n\":%s%d%s}\n", quote, col.Value(i), quote); err != nil {
				return err
			}
		}
	}
}

// numbers is a result of 0..n-1 in batches of 1000.
type numbers struct {
	fake          *fake
	at, n, failAt int
}

func (r *numbers) Columns() []types.Column {
	return []types.Column{{Name: "n", Type: types.Of(types.BigInt)}}
}
func (r *numbers) Truncated() bool { return false }
func (r *numbers) Close() error {
	r.fake.mu.Lock()
	defer r.fake.mu.Unlock()
	r.fake.closed++
	return nil
}

func (r *numbers) Next(ctx context.Context) (arrow.RecordBatch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.failAt > 0 && r.at >= r.failAt {
		return nil, types.Errorf(types.OutOfMemory, "the query outgrew its memory")
	}
	if r.at == r.n {
		return nil, nil
	}
	b := array.NewInt64Builder(memory.NewGoAllocator())
	for range min(1000, r.n-r.at) {
		b.Append(int64(r.at))
		r.at++
	}
	col := b.NewArray()
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	return array.NewRecordBatch(schema, []arrow.Array{col}, int64(col.Len())), nil
}

// meter remembers what ended.
type meter struct {
	mu   sync.Mutex
	open int
	ends []string
}

func (m *meter) Begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open++
}

func (m *meter) End(route, method string, status int, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open--
	m.ends = append(m.ends, fmt.Sprintf("%s %s %d", method, route, status))
}

// harness is a server over the fake.
type harness struct {
	testing.TB
	fake    *fake
	meter   *meter
	tokens  *auth.Service
	options Options
	log     *lockedBuffer
	handler http.Handler
}

// lockedBuffer is a log that several goroutines may write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newHarness(t testing.TB, change ...func(*Options)) *harness {
	t.Helper()
	h := &harness{TB: t, fake: &fake{events: map[string][]byte{}, puts: map[string]string{}, rows: 3}, meter: &meter{}, log: &lockedBuffer{}}
	h.tokens = auth.NewService(&authtest.Memory{}, false)
	f := h.fake
	h.options = Options{
		Events: f, Queries: f, Encoder: f, Tables: f, DeadLetters: f, Catalog: f, Tokens: h.tokens, Meter: h.meter,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "leat_up 1") }),
		Status:  func(context.Context) (any, error) { return map[string]string{"version": "test"}, nil },
		Jobs:    func(context.Context) (any, error) { return []string{"loader"}, nil },
		Alive:   func() (bool, any) { return true, []string{} },
		Ready:   func() (bool, any) { return false, []string{"starting"} },
		Log:     slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test", Pprof: true,
	}
	for _, c := range change {
		c(&h.options)
	}
	var err error
	if h.handler, err = New(h.options); err != nil {
		t.Fatal(err)
	}
	return h
}

// do sends a request; headers are name, value pairs.
func (h *harness) do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	h.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:4280"
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w
}

// wantProblem checks the status and code of an error and returns it.
func (h *harness) wantProblem(w *httptest.ResponseRecorder, code types.Code) problem {
	h.Helper()
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		h.Fatalf("status %d, not a problem: %s", w.Code, w.Body)
	}
	if p.Code != code || w.Code != code.Mapping().Status || p.Status != w.Code || w.Header().Get("Content-Type") != problemType {
		h.Errorf("want %s, got %d %s: %s", code, w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return p
}

func (h *harness) want(w *httptest.ResponseRecorder, status int, body string) {
	h.Helper()
	if w.Code != status || strings.TrimSpace(w.Body.String()) != body {
		h.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, status, body)
	}
}

// serve runs a real server on a port of its own until the test ends.
func (h *harness) serve() *httptest.Server {
	srv := httptest.NewUnstartedServer(h.handler)
	srv.Config = Server(h.handler, h.options.Limits, h.options.Log)
	srv.Listener = Listen(srv.Listener, h.options.Limits)
	srv.Start()
	h.Cleanup(srv.Close)
	return srv
}
