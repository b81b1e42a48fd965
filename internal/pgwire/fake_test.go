package pgwire

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/jackc/pgx/v5/pgproto3"

	"leat/internal/auth"
	"leat/internal/types"
)

// fake is a Backend: SELECT n gives the numbers below n, WAIT waits for the end of its context, PANIC panics, INSERT writes one row.
type fake struct {
	mu      sync.Mutex
	written []Write
	fail    error
}

var numbers = []types.Column{{Name: "n", Type: types.Of(types.BigInt)}}

type fakeStatement struct {
	fake   *fake
	text   string
	params []types.Type
}

func (f *fake) Prepare(_ context.Context, t Text, params []types.Type) (Prepared, error) {
	verb, _, _ := strings.Cut(t.SQL, " ")
	switch strings.ToUpper(verb) {
	case "SELECT", "WAIT", "PANIC", "INSERT", "CREATE":
	default:
		return nil, types.Errorf(types.SyntaxError, "no statement").At(1, 1)
	}
	if strings.Contains(t.SQL, "$1") && len(params) == 0 {
		params = []types.Type{types.Of(types.BigInt)}
	}
	return &fakeStatement{f, t.SQL, params}, nil
}

func (f *fake) Target(context.Context, auth.Principal, string, []string) ([]types.Column, error) {
	return []types.Column{{Name: "a", Type: types.Of(types.Integer)}, {Name: "b", Type: types.Of(types.Varchar)}}, nil
}

func (f *fake) Write(_ context.Context, _ auth.Principal, w Write) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return 0, f.fail
	}
	f.written = append(f.written, w)
	return w.rows(), nil
}

func (f *fake) rows() (n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.written {
		n += f.written[i].rows()
	}
	return n
}

func (f *fake) Subscribe(context.Context, auth.Principal, string, bool) (Subscription, error) {
	return nil, types.Errorf(types.NotFound, "no view")
}

func (s *fakeStatement) is(verb string) bool {
	return strings.HasPrefix(strings.ToUpper(s.text), verb)
}

func (s *fakeStatement) Kind() Kind {
	switch {
	case s.is("INSERT"):
		return Writes
	case s.is("CREATE"):
		return Defines
	}
	return Reads
}

func (s *fakeStatement) Params() []types.Type { return s.params }

func (s *fakeStatement) Columns() []types.Column {
	if s.Kind() != Reads {
		return nil
	}
	return numbers
}

func (s *fakeStatement) Run(ctx context.Context, args []any, limit int) (Result, error) {
	switch {
	case s.is("WAIT"):
		<-ctx.Done()
		return Result{}, types.Errorf(types.Canceled, "it ended: %w", context.Cause(ctx))
	case s.is("PANIC"):
		panic("on purpose")
	case s.is("CREATE"):
		return Result{Tag: "CREATE STREAM"}, nil
	case s.is("INSERT"):
		return Result{Write: &Write{Table: "t", Records: []arrow.RecordBatch{record(0, 1)}}, Tag: "INSERT 0 "}, nil
	}
	n := int64(3)
	if len(args) == 1 {
		n, _ = args[0].(int64)
	}
	return Result{Rows: &fakeRows{left: min(n, int64(limit)), cut: n > int64(limit)}}, nil
}

func record(from, n int64) arrow.RecordBatch {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	for i := range n {
		b.Append(from + i)
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	return array.NewRecordBatch(schema, []arrow.Array{b.NewArray()}, n)
}

type fakeRows struct {
	next, left int64
	cut        bool
}

func (r *fakeRows) Columns() []types.Column { return numbers }
func (r *fakeRows) Truncated() bool         { return r.cut }
func (r *fakeRows) Close() error            { return nil }

func (r *fakeRows) Next(context.Context) (arrow.RecordBatch, error) {
	n := min(r.left, 1000)
	if n <= 0 {
		return nil, nil
	}
	rec := record(r.next, n)
	r.next, r.left = r.next+n, r.left-n
	return rec, nil
}

// open lets everybody in, locked nobody without the password of RFC 7677.
type open struct{}

func (open) Required() bool                              { return false }
func (open) Verifier(string) (string, bool)              { return "", false }
func (open) Principal(string) (auth.Principal, error)    { return auth.Local, nil }
func (open) Authenticate(string) (auth.Principal, error) { return auth.Local, nil }

type locked struct{ open }

func (locked) Required() bool { return true }

// serve starts a server and returns its address.
func serve(t testing.TB, o Options) (*Server, string) {
	t.Helper()
	if o.Backend == nil {
		o.Backend = &fake{}
	}
	if o.Users == nil {
		o.Users = open{}
	}
	s := New(o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

// peer is a client of raw messages.
type peer struct {
	t testing.TB
	net.Conn
	*pgproto3.Frontend
	key *pgproto3.BackendKeyData
	// negotiated is set by NegotiateProtocolVersion.
	negotiated *pgproto3.NegotiateProtocolVersion
}

func dial(t testing.TB, addr string, version uint32, params map[string]string) *peer {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(90 * time.Second)); err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, Conn: c, Frontend: pgproto3.NewFrontend(c, c)}
	if params == nil {
		params = map[string]string{"user": "leat"}
	}
	body := binary.BigEndian.AppendUint32(nil, version)
	for k, v := range params {
		body = append(append(append(append(body, k...), 0), v...), 0)
	}
	body = append(body, 0)
	p.raw(append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...))
	return p
}

func (p *peer) raw(b []byte) {
	p.t.Helper()
	if _, err := p.Conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// login reads up to the first ReadyForQuery.
func login(t testing.TB, addr string) *peer {
	t.Helper()
	p := dial(t, addr, pgproto3.ProtocolVersion30, nil)
	for {
		switch m := p.receive().(type) {
		case *pgproto3.BackendKeyData:
			k := *m
			k.SecretKey = append([]byte(nil), m.SecretKey...)
			p.key = &k
		case *pgproto3.NegotiateProtocolVersion:
			n := *m
			p.negotiated = &n
		case *pgproto3.ErrorResponse:
			t.Fatal(m.Code, m.Message)
		case *pgproto3.ReadyForQuery:
			return p
		}
	}
}

func (p *peer) receive() pgproto3.BackendMessage {
	p.t.Helper()
	m, err := p.Frontend.Receive()
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

func (p *peer) send(messages ...pgproto3.FrontendMessage) {
	p.t.Helper()
	for _, m := range messages {
		p.Frontend.Send(m)
	}
	if err := p.Frontend.Flush(); err != nil {
		p.t.Fatal(err)
	}
}

// until spells the messages up to ReadyForQuery: their kinds, with tags, states and rows.
func (p *peer) until() string {
	p.t.Helper()
	var out []string
	for {
		switch m := p.receive().(type) {
		case *pgproto3.CommandComplete:
			out = append(out, string(m.CommandTag))
		case *pgproto3.ErrorResponse:
			out = append(out, "error "+m.Code)
		case *pgproto3.NoticeResponse:
			out = append(out, "notice "+m.Code)
		case *pgproto3.DataRow:
			v := "NULL"
			if m.Values[0] != nil {
				v = string(m.Values[0])
			}
			out = append(out, "row "+v)
		case *pgproto3.RowDescription:
			out = append(out, "columns")
		case *pgproto3.ParameterDescription:
			out = append(out, "parameters")
		case *pgproto3.NoData:
			out = append(out, "no data")
		case *pgproto3.ParseComplete:
			out = append(out, "parsed")
		case *pgproto3.BindComplete:
			out = append(out, "bound")
		case *pgproto3.CloseComplete:
			out = append(out, "closed")
		case *pgproto3.PortalSuspended:
			out = append(out, "suspended")
		case *pgproto3.EmptyQueryResponse:
			out = append(out, "empty")
		case *pgproto3.CopyInResponse:
			out = append(out, "copy in")
			return strings.Join(out, ", ")
		case *pgproto3.ParameterStatus:
			out = append(out, m.Name+"="+m.Value)
		case *pgproto3.ReadyForQuery:
			return strings.Join(append(out, string(m.TxStatus)), ", ")
		}
	}
}

// simple sends a query and spells its answer.
func (p *peer) simple(sql string) string {
	p.t.Helper()
	p.send(&pgproto3.Query{String: sql})
	return p.until()
}

// ended reports the last error before the server closed the connection, "" for none.
func (p *peer) ended() string {
	p.t.Helper()
	last := ""
	for {
		m, err := p.Frontend.Receive()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "reset") {
				p.t.Fatalf("not closed: %v", err)
			}
			return last
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok {
			last = e.Severity + " " + e.Code
		}
	}
}
