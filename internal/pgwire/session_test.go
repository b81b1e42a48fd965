package pgwire

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"leat/internal/types"
)

func TestSimpleQueries(t *testing.T) {
	f := &fake{}
	_, addr := serve(t, Options{Backend: f})
	p := login(t, addr)
	for _, c := range []struct{ sql, want string }{
		{"", "empty, I"},
		{" ; -- nothing\n", "empty, I"},
		{"SELECT", "columns, row 0, row 1, row 2, SELECT 3, I"},
		{"SELECT; SELECT", "columns, row 0, row 1, row 2, SELECT 3, columns, row 0, row 1, row 2, SELECT 3, I"},
		{"SELECT; nonsense; SELECT", "columns, row 0, row 1, row 2, SELECT 3, error 42601, I"},
		{"SELECT $1", "error 42P02, I"},
		{"BEGIN", "BEGIN, T"},
		{"BEGIN", "notice 25001, BEGIN, T"},
		{"nonsense", "error 42601, E"},
		{"SELECT", "error 25P02, E"},
		{"SET application_name = 'x'", "error 25P02, E"},
		{"COMMIT", "ROLLBACK, I"},
		{"ROLLBACK", "notice 25P01, ROLLBACK, I"},
		{"START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", "notice 01000, START TRANSACTION, T"},
		{"SAVEPOINT a; nonsense", "SAVEPOINT, error 42601, E"},
		{"ROLLBACK TO a; RELEASE a; RELEASE a", "ROLLBACK, RELEASE, error 3B001, E"},
		{"ROLLBACK AND CHAIN", "ROLLBACK, T"},
		{"END WORK", "COMMIT, I"},
		{"SET application_name TO 'a b'; SHOW application_name", "application_name=a b, SET, columns, row a b, SHOW, I"},
		{"RESET ALL", "application_name=, RESET, I"},
		{"SET statement_timeout = '90s'; SHOW statement_timeout", "SET, columns, row 90s, SHOW, I"},
		{"SET client_encoding = 'LATIN1'", "error 22023, I"},
		{"SET server_version = '1'", "error 55P02, I"},
		{"SET app.user = 'x'; SHOW app.user", "SET, columns, row x, SHOW, I"},
		{"SET TIME ZONE 'UTC'; SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET NAMES 'utf8'", "TimeZone=UTC, SET, SET, client_encoding=UTF8, SET, I"},
		{"PREPARE p (BIGINT) AS SELECT $1; EXECUTE p (1); EXECUTE p; ", "PREPARE, columns, row 0, SELECT 1, error 42601, I"},
		{"DEALLOCATE p; DEALLOCATE p", "DEALLOCATE, error 26000, I"},
		{"DISCARD ALL", "client_encoding=UTF8, TimeZone=UTC, DISCARD ALL, I"},
		{"LISTEN x", "error 0A000, I"},
		{"UNLISTEN *", "UNLISTEN, I"},
		{"DECLARE c CURSOR FOR SELECT", "error 25P01, I"},
		{"BEGIN; DECLARE c CURSOR FOR SELECT; FETCH 2 c; MOVE 1 c; FETCH c; CLOSE c; FETCH c", "BEGIN, DECLARE CURSOR, columns, row 0, row 1, FETCH 2, MOVE 1, columns, FETCH 0, CLOSE CURSOR, error 34000, E"},
		{"ROLLBACK; DECLARE h CURSOR WITH HOLD FOR SELECT; FETCH ALL h; CLOSE ALL", "ROLLBACK, DECLARE CURSOR, columns, row 0, row 1, row 2, FETCH 3, CLOSE CURSOR ALL, I"},
		{"FETCH BACKWARD 1 c", "error 55000, I"},
		{"COPY (SELECT) TO STDOUT", "COPY 3, I"},
	} {
		if got := p.simple(c.sql); got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.sql, got, c.want)
		}
	}
	if n := f.rows(); n != 0 {
		t.Errorf("%d rows were written", n)
	}
}

func TestWritesWaitForCommit(t *testing.T) {
	f := &fake{}
	_, addr := serve(t, Options{Backend: f})
	p := login(t, addr)
	step := func(sql, want string, rows int64) {
		t.Helper()
		if got := p.simple(sql); got != want || f.rows() != rows {
			t.Errorf("%q: %s, %d rows; want %s, %d", sql, got, f.rows(), want, rows)
		}
	}
	step("INSERT", "INSERT 0 1, I", 1)
	step("BEGIN; INSERT", "BEGIN, INSERT 0 1, T", 1)
	step("SELECT", "notice 01000, columns, row 0, row 1, row 2, SELECT 3, T", 1)
	step("ROLLBACK", "ROLLBACK, I", 1)
	step("BEGIN; INSERT; INSERT; COMMIT", "BEGIN, INSERT 0 1, INSERT 0 1, COMMIT, I", 3)
	step("INSERT; INSERT; nonsense", "INSERT 0 1, INSERT 0 1, error 42601, I", 3)
	step("INSERT; SELECT; nonsense", "INSERT 0 1, columns, row 0, row 1, row 2, SELECT 3, error 42601, I", 4)
	step("BEGIN; INSERT; CREATE; ROLLBACK", "BEGIN, INSERT 0 1, notice 01000, CREATE STREAM, ROLLBACK, I", 5)
	p.send(&pgproto3.Parse{Name: "i", Query: "INSERT"}, &pgproto3.Bind{PreparedStatement: "i"}, &pgproto3.Execute{}, &pgproto3.Bind{PreparedStatement: "i"}, &pgproto3.Execute{}, &pgproto3.Sync{})
	if got, want := p.until(), "parsed, bound, INSERT 0 1, bound, INSERT 0 1, I"; got != want || f.rows() != 7 {
		t.Errorf("%s, %d rows", got, f.rows())
	}
	f.fail = types.Errorf(types.DiskFull, "full")
	step("INSERT", "error 53100, I", 7)
	step("BEGIN; INSERT; COMMIT", "BEGIN, INSERT 0 1, error 53100, I", 7)
	p.send(&pgproto3.Bind{PreparedStatement: "i"}, &pgproto3.Execute{}, &pgproto3.Bind{PreparedStatement: "i"}, &pgproto3.Execute{}, &pgproto3.Parse{Query: "nonsense"}, &pgproto3.Sync{})
	if got, want := p.until(), "bound, INSERT 0 1, bound, INSERT 0 1, error 42601, I"; got != want || f.rows() != 7 {
		t.Errorf("%s, %d rows", got, f.rows())
	}
}

func TestExtendedProtocol(t *testing.T) {
	_, addr := serve(t, Options{})
	p := login(t, addr)
	for _, c := range []struct {
		send []pgproto3.FrontendMessage
		want string
	}{
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Name: "s", Query: "SELECT $1"}, &pgproto3.Describe{ObjectType: 'S', Name: "s"}, &pgproto3.Bind{PreparedStatement: "s", Parameters: [][]byte{[]byte("2")}},
			&pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}}, "parsed, parameters, columns, bound, columns, row 0, row 1, SELECT 2, I"},
		{[]pgproto3.FrontendMessage{&pgproto3.Bind{PreparedStatement: "s", DestinationPortal: "p", ParameterFormatCodes: []int16{1}, Parameters: [][]byte{{0, 0, 0, 0, 0, 0, 0, 3}}},
			&pgproto3.Execute{Portal: "p", MaxRows: 2}, &pgproto3.Execute{Portal: "p", MaxRows: 2}, &pgproto3.Execute{Portal: "p"}}, "bound, row 0, row 1, suspended, row 2, SELECT 1, SELECT 0, I"},
		{[]pgproto3.FrontendMessage{&pgproto3.Execute{Portal: "p"}}, "error 34000, I"},
		{[]pgproto3.FrontendMessage{&pgproto3.Execute{}}, "error 34000, I"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Name: "s", Query: "SELECT"}, &pgproto3.Bind{PreparedStatement: "s"}}, "error 42P05, I"},
		{[]pgproto3.FrontendMessage{&pgproto3.Bind{PreparedStatement: "s", Parameters: [][]byte{[]byte("x")}}, &pgproto3.Execute{}}, "error 22P02, I"},
		{[]pgproto3.FrontendMessage{&pgproto3.Bind{PreparedStatement: "s"}}, "error 08P01, I"},
		{[]pgproto3.FrontendMessage{&pgproto3.Bind{PreparedStatement: "none"}}, "error 26000, I"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT; SELECT"}}, "error 42601, I"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: ""}, &pgproto3.Describe{ObjectType: 'S'}, &pgproto3.Bind{}, &pgproto3.Execute{}}, "parsed, parameters, no data, bound, empty, I"},
		{[]pgproto3.FrontendMessage{&pgproto3.Close{ObjectType: 'S', Name: "s"}, &pgproto3.Close{ObjectType: 'P', Name: "none"}}, "closed, closed, I"},
		{[]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "BEGIN"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Parse{Name: "t", Query: "SELECT $1"},
			&pgproto3.Bind{PreparedStatement: "t", DestinationPortal: "q", Parameters: [][]byte{[]byte("5000")}}, &pgproto3.Execute{Portal: "q", MaxRows: 1}}, "parsed, bound, BEGIN, parsed, bound, row 0, suspended, T"},
	} {
		p.send(append(c.send, &pgproto3.Sync{})...)
		if got := p.until(); got != c.want {
			t.Errorf("%v\n got %s\nwant %s", c.send, got, c.want)
		}
	}
	time.Sleep(3 * suspendAfter) // the portal's result is read ahead meanwhile
	p.send(&pgproto3.Execute{Portal: "q", MaxRows: 4000}, &pgproto3.Execute{Portal: "q"}, &pgproto3.Sync{})
	got := p.until()
	if rows := strings.Count(got, "row "); rows != 4999 || !strings.HasSuffix(got, "row 4999, SELECT 999, T") {
		t.Errorf("%d rows, ...%s", rows, got[max(len(got)-60, 0):])
	}
}

func TestResultsAreNeverCutInSilence(t *testing.T) {
	_, addr := serve(t, Options{Config: Config{MaxRows: 2}})
	if got, want := login(t, addr).simple("SELECT"), "columns, row 0, row 1, notice 01000, SELECT 2, I"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCopyIn(t *testing.T) {
	f := &fake{}
	_, addr := serve(t, Options{Backend: f})
	p := login(t, addr)
	begin := func(sql string) {
		t.Helper()
		p.send(&pgproto3.Query{String: sql})
		if got := p.until(); got != "copy in" {
			t.Fatal(got)
		}
	}
	begin("COPY t FROM STDIN")
	p.send(&pgproto3.CopyData{Data: []byte("1\tx\n2")}, &pgproto3.CopyData{Data: []byte("\t\\N\n")}, &pgproto3.CopyDone{})
	if got := p.until(); got != "COPY 2, I" || f.rows() != 2 {
		t.Errorf("%s, %d rows", got, f.rows())
	}
	begin("COPY t FROM STDIN")
	p.send(&pgproto3.CopyData{Data: []byte("1\tx\n")}, &pgproto3.CopyFail{Message: "no"})
	if got := p.until(); got != "error 57014, I" || f.rows() != 2 {
		t.Errorf("%s, %d rows", got, f.rows())
	}
	begin("COPY t FROM STDIN WITH (FORMAT csv)")
	p.send(&pgproto3.CopyData{Data: []byte("1,x\nno,y\n")}, &pgproto3.CopyData{Data: []byte("3,z\n")}, &pgproto3.CopyDone{})
	if got := p.until(); got != "error 22P02, I" || f.rows() != 2 {
		t.Errorf("%s, %d rows", got, f.rows())
	}
	if got := p.simple("BEGIN"); got != "BEGIN, T" {
		t.Error(got)
	}
	begin("COPY t FROM STDIN")
	p.send(&pgproto3.CopyData{Data: []byte("1\tx\n")}, &pgproto3.CopyDone{})
	if got := p.until(); got != "COPY 1, T" || f.rows() != 2 {
		t.Errorf("%s, %d rows", got, f.rows())
	}
	if got := p.simple("COMMIT"); got != "COMMIT, I" || f.rows() != 3 {
		t.Errorf("%s, %d rows", got, f.rows())
	}
}

func TestCancel(t *testing.T) {
	s, addr := serve(t, Options{})
	p := login(t, addr)
	cancel := func(pid uint32, secret []byte) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		b, err := (&pgproto3.CancelRequest{ProcessID: pid, SecretKey: secret}).Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Error("a cancel request was answered")
		}
	}
	p.send(&pgproto3.Query{String: "WAIT"})
	wrong := bytes.Clone(p.key.SecretKey)
	wrong[0]++
	cancel(p.key.ProcessID, wrong)
	cancel(p.key.ProcessID, nil)
	cancel(p.key.ProcessID+1, p.key.SecretKey)
	for s.Metrics().Cancels < 3 {
		time.Sleep(time.Millisecond)
	}
	cancel(p.key.ProcessID, p.key.SecretKey)
	if got := p.until(); got != "error 57014, I" {
		t.Error(got)
	}
	cancel(p.key.ProcessID, p.key.SecretKey) // nothing runs
	for s.Metrics().Cancels < 5 {
		time.Sleep(time.Millisecond)
	}
	if got := p.simple("SELECT"); !strings.HasSuffix(got, "SELECT 3, I") {
		t.Error(got)
	}
	if got := p.simple("SET statement_timeout = 50; WAIT"); got != "SET, error 57014, I" {
		t.Error(got)
	}
	before := s.Metrics().Statements
	p.send(&pgproto3.Query{String: "SET statement_timeout = '1h'; WAIT"})
	for s.Metrics().Statements < before+2 {
		time.Sleep(time.Millisecond)
	}
	p.Conn.Close() // who has gone wants no answer
	for deadline := time.Now().Add(20 * time.Second); s.Metrics().Sessions > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the statement of a client that has gone runs on")
		}
	}
}

func TestProtocolVersions(t *testing.T) {
	_, addr := serve(t, Options{})
	for _, c := range []struct {
		version    uint32
		params     map[string]string
		minor, key int
		unknown    int
	}{
		{pgproto3.ProtocolVersion30, nil, -1, 4, 0},
		{pgproto3.ProtocolVersion32, nil, -1, 32, 0},
		{3<<16 | 9999, nil, 2, 32, 0},
		{3 << 16, map[string]string{"user": "u", "_pq_.x": "1"}, 0, 4, 1},
	} {
		p := dial(t, addr, c.version, c.params)
		minor, unknown, key := -1, 0, 0
		for ready := false; !ready; {
			kind, body := frame(t, p.Conn)
			switch kind {
			case 'v':
				minor, unknown = int(binary.BigEndian.Uint32(body)&0xffff), int(binary.BigEndian.Uint32(body[4:]))
			case 'K':
				key = len(body) - 4
			case 'E':
				t.Fatalf("%x: %q", c.version, body)
			case 'Z':
				ready = true
			}
		}
		if minor != c.minor || key != c.key || unknown != c.unknown {
			t.Errorf("%x: minor %d, %d unknown options, a key of %d", c.version, minor, unknown, key)
		}
	}
	if got := dial(t, addr, 2<<16, nil).ended(); got != "FATAL 0A000" {
		t.Errorf("version 2: %q", got)
	}
}

// frame reads one message.
func frame(t testing.TB, c net.Conn) (kind byte, body []byte) {
	t.Helper()
	read := func(n int) []byte {
		b := make([]byte, n)
		for at := 0; at < n; {
			got, err := c.Read(b[at:])
			if err != nil {
				t.Fatal(err)
			}
			at += got
		}
		return b
	}
	head := read(5)
	return head[0], read(int(binary.BigEndian.Uint32(head[1:])) - 4)
}

func TestLimitsBeforeAuthentication(t *testing.T) {
	s, addr := serve(t, Options{Users: locked{}, Config: Config{AuthTimeout: 300 * time.Millisecond, MaxUnproven: 8}})
	connect := func(b []byte) *peer {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(90 * time.Second)); err != nil {
			t.Fatal(err)
		}
		p := &peer{t: t, Conn: c, Frontend: pgproto3.NewFrontend(c, c)}
		p.raw(b)
		return p
	}
	if got := connect([]byte{0, 1, 0, 0, 0, 3, 0, 0}).ended(); got != "FATAL 08P01" {
		t.Errorf("a large start-up packet: %q", got)
	}
	if got := connect([]byte{0, 0, 0, 8, 0, 3, 0, 0}).ended(); got != "FATAL 08P01" {
		t.Errorf("a packet without its end: %q", got)
	}
	if got := connect([]byte{0x16, 3, 1, 0, 0, 0, 0, 0}).ended(); got != "FATAL 08P01" {
		t.Errorf("TLS that there is not: %q", got)
	}
	if got := connect(nil).ended(); got != "" {
		t.Errorf("silence: %q", got)
	}
	// A password of 64 KiB is too long before anybody knows who sends it.
	p := dial(t, addr, pgproto3.ProtocolVersion30, nil)
	if kind, _ := frame(t, p.Conn); kind != 'R' {
		t.Errorf("message %q", kind)
	}
	p.raw(append([]byte{'p', 0, 1, 0, 0}, make([]byte, 100)...))
	if got := p.ended(); got != "FATAL 08P01" {
		t.Errorf("a long password: %q", got)
	}
	for deadline := time.Now().Add(10 * time.Second); s.Metrics().Sessions > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	var held []*peer
	for range 2 {
		held = append(held, connect([]byte{0}))
	}
	for deadline := time.Now().Add(10 * time.Second); s.Metrics().Unproven < len(held) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if got := connect(nil).ended(); got != "FATAL 53300" {
		t.Errorf("more from one address than may: %q", got)
	}
	for _, p := range held {
		p.ended()
	}
	if m := s.Metrics(); m.Refused == 0 {
		t.Error("no refusal was counted")
	}
}

func TestMessagesAfterAuthentication(t *testing.T) {
	s, addr := serve(t, Options{Config: Config{MaxMessage: 1 << 20}})
	for name, b := range map[string][]byte{
		"too long":  {'Q', 0x7f, 0, 0, 0},
		"negative":  {'Q', 0xff, 0, 0, 0},
		"too short": {'Q', 0, 0, 0, 3},
		"unknown":   {'?', 0, 0, 0, 4},
		"no end":    {'Q', 0, 0, 0, 5, 'x'},
	} {
		p := login(t, addr)
		p.raw(b)
		if got := p.ended(); got != "FATAL 08P01" {
			t.Errorf("%s: %q", name, got)
		}
	}
	p := login(t, addr)
	p.send(&pgproto3.Query{String: "PANIC"})
	if got := p.ended(); got != "FATAL XX000" {
		t.Errorf("a panic: %q", got)
	}
	if got := login(t, addr).simple("SELECT " + strings.Repeat(" ", 900_000)); !strings.HasSuffix(got, "SELECT 3, I") {
		t.Error("the server is not what it was")
	}
	if m := s.Metrics(); m.Accepted != 7 {
		t.Errorf("%+v", m)
	}
}

func TestShutdown(t *testing.T) {
	s := New(Options{Backend: &fake{}, Users: open{}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	idle, busy := login(t, l.Addr().String()), login(t, l.Addr().String())
	busy.send(&pgproto3.Query{String: "WAIT"})
	for s.Metrics().Statements == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("a statement that waits for ever ended by itself")
	}
	if got := idle.ended(); got != "FATAL 57P01" {
		t.Errorf("an idle session: %q", got)
	}
	if m := s.Metrics(); m.Sessions != 0 {
		t.Errorf("%+v", m)
	}
}

func BenchmarkLookup(b *testing.B) {
	_, addr := serve(b, Options{})
	p := login(b, addr)
	p.send(&pgproto3.Parse{Name: "s", Query: "SELECT $1"}, &pgproto3.Sync{})
	if got := p.until(); got != "parsed, I" {
		b.Fatal(got)
	}
	if err := p.SetDeadline(time.Time{}); err != nil {
		b.Fatal(err)
	}
	var request []byte
	for _, m := range []pgproto3.FrontendMessage{&pgproto3.Bind{PreparedStatement: "s", ParameterFormatCodes: []int16{1}, Parameters: [][]byte{{0, 0, 0, 0, 0, 0, 0, 1}}, ResultFormatCodes: []int16{1}}, &pgproto3.Execute{}, &pgproto3.Sync{}} {
		request, _ = m.Encode(request)
	}
	in := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Conn.Write(request); err != nil {
			b.Fatal(err)
		}
		for n := 0; n < 6 || in[n-6] != 'Z'; {
			got, err := p.Conn.Read(in[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += got
		}
	}
}
