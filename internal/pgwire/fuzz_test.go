package pgwire

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/jackc/pgx/v5/pgproto3"

	"leat/internal/pgwire/pgtype"
	"leat/internal/types"
)

// talk sends bytes to a session and waits for its end, which comes because the client closes.
func talk(t *testing.T, users Users, first, b []byte) {
	var log bytes.Buffer // of one session: written by its goroutine, read after its end
	s := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Backend: &fake{}, Users: users, Config: Config{AuthTimeout: time.Second, StatementTimeout: 50 * time.Millisecond, MaxMessage: 1 << 16}})
	defer func() { s.Shutdown(t.Context()) }()
	client, server := net.Pipe()
	one := newSession(s, server)
	s.mu.Lock()
	s.sessions[one] = struct{}{}
	s.unproven[one.addr]++
	s.waiting++
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		one.serve()
	}()
	go func() { // what the server says
		for b := make([]byte, 4096); ; {
			if _, err := client.Read(b); err != nil {
				return
			}
		}
	}()
	_ = client.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, _ = client.Write(append(bytes.Clone(first), b...))
	client.Close()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the session does not end")
	}
	if text := log.String(); strings.Contains(text, "BUG") && !strings.Contains(text, "on purpose") {
		t.Error(text)
	}
}

func startup(t testing.TB) []byte {
	b, err := (&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "u", "options": "-c app.x=1"}}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzStartup(f *testing.F) {
	f.Add(startup(f))
	f.Add([]byte{0, 0, 0, 8, 4, 210, 22, 47})
	f.Add([]byte{0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2})
	f.Add(append(startup(f), "p\x00\x00\x00\x36SCRAM-SHA-256\x00\x00\x00\x00\x20n,,n=,r=fyko+d2lbbFgONRv9qkxdawL"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		talk(t, open{}, nil, b)
		talk(t, locked{}, nil, b)
	})
}

func FuzzMessages(f *testing.F) {
	encode := func(messages ...pgproto3.FrontendMessage) {
		var b []byte
		for _, m := range messages {
			b, _ = m.Encode(b)
		}
		f.Add(b)
	}
	encode(&pgproto3.Query{String: "SELECT; BEGIN; DECLARE c CURSOR FOR SELECT; FETCH 2 c; COPY (SELECT) TO STDOUT (FORMAT csv); PREPARE a AS SELECT $1; EXECUTE a('1')"})
	encode(&pgproto3.Query{String: "COPY t (a, b) FROM STDIN WITH (FORMAT csv, HEADER, DELIMITER ';')"}, &pgproto3.CopyData{Data: []byte("a;b\n1;\"x\"\n")}, &pgproto3.CopyDone{})
	encode(&pgproto3.Parse{Name: "s", Query: "SELECT $1", ParameterOIDs: []uint32{20}}, &pgproto3.Bind{PreparedStatement: "s", ParameterFormatCodes: []int16{1}, Parameters: [][]byte{{0, 0, 0, 0, 0, 0, 0, 9}}, ResultFormatCodes: []int16{1}},
		&pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{MaxRows: 2}, &pgproto3.Close{ObjectType: 'S', Name: "s"}, &pgproto3.Sync{})
	encode(&pgproto3.Query{String: "SET TIME ZONE 'x'; SHOW ALL; SET LOCAL a.b TO 'x', \"y\"; DISCARD ALL"})
	first := startup(f)
	f.Fuzz(func(t *testing.T, b []byte) { talk(t, open{}, first, b) })
}

// FuzzCopy wants the same rows from data in one piece and byte by byte.
func FuzzCopy(f *testing.F) {
	f.Add([]byte("1\tx\n2\t\\N\n\\.\n"), byte(0))
	f.Add([]byte("a,b\r\n1,\"x\ny\"\"z\"\r\n2,\r\n"), byte(1))
	f.Add([]byte("1,'it''s'\n"), byte(2))
	f.Add([]byte("1\tback\\\\slash\\x41\\101\\"), byte(0))
	f.Add(append([]byte(copySignature), "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x04\x00\x00\x00\x07\xff\xff\xff\xff\xff\xff"...), byte(3))
	f.Fuzz(func(t *testing.T, data []byte, how byte) {
		read := func(step int) string {
			c := &copyStatement{table: "t", from: true}
			c.quote = '"'
			c.format = []copyFormat{copyText, copyCSV, copyCSV, copyBinary}[how%4]
			c.header = how%4 == 1
			if how%4 == 2 {
				c.quote, c.escape = '\'', '\\'
			}
			if err := c.complete(); err != nil {
				t.Fatal(err)
			}
			in := &copyInput{copyStatement: c, columns: make([]types.Column, 2)}
			var out strings.Builder
			row := func(end bool) bool {
				if in.ended {
					return false
				}
				in.fields = in.fields[:0]
				more, is, err := in.row(end)
				if err != nil {
					fmt.Fprint(&out, "error ", err)
					in.ended = true
					return false
				}
				if is {
					for _, f := range in.fields {
						fmt.Fprintf(&out, "%q %v;", f, f == nil)
					}
					out.WriteByte('\n')
				}
				return more
			}
			for rest := data; len(rest) > 0; {
				n := min(step, len(rest))
				in.take(rest[:n])
				rest = rest[n:]
				for row(false) {
				}
			}
			for row(true) {
			}
			return out.String()
		}
		if whole, bytewise := read(1<<20), read(1); whole != bytewise {
			t.Errorf("in one piece\n%s\nbyte by byte\n%s", whole, bytewise)
		}
	})
}

func FuzzParameters(f *testing.F) {
	f.Add([]byte(`{1,NULL,"a\"b"}`), uint32(1009), int16(0))
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7}, uint32(1007), int16(1))
	f.Add([]byte{0, 2, 0, 0, 0x40, 0, 0, 2, 0, 123, 0x11, 0x94}, uint32(1700), int16(1))
	f.Add([]byte(`\x0aFF`), uint32(17), int16(0))
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8}, uint32(1184), int16(1))
	f.Fuzz(func(t *testing.T, data []byte, oid uint32, format int16) {
		v, err := decode(data, oid, format)
		if s, ok := v.(string); ok && err == nil && strings.ContainsRune(s, 0) && oid != pgtype.JSONB {
			t.Errorf("a NUL byte in %q", s)
		}
		plainText(v)
	})
}

// FuzzScan wants every byte of a script in one piece, in order, or between pieces.
func FuzzScan(f *testing.F) {
	f.Add("SELECT 'a;b'; SELECT $$;$$ -- ;\n/* ; /* ; */ */; E'\\';'")
	f.Add(`SET x TO "a;b", 'c'; $tag$ ; $tag$`)
	f.Fuzz(func(t *testing.T, script string) {
		at := 0
		for _, p := range split(script) {
			if p.offset < at || script[p.offset:p.offset+len(p.text)] != p.text || p.text == "" {
				t.Fatalf("%q: piece %q at %d", script, p.text, p.offset)
			}
			at = p.offset + len(p.text)
		}
		r := read(script)
		for !r.end() {
			before := r.scanner.pos
			if _, ok := r.value(); !ok {
				r.advance()
			}
			if r.scanner.pos <= before && !r.end() {
				t.Fatalf("%q: no progress at %d", script, before)
			}
		}
		Call(script)
	})
}

// FuzzNumeric wants a DECIMAL back as it was, through the binary form.
func FuzzNumeric(f *testing.F) {
	f.Add(int64(0), uint64(0), byte(0))
	f.Add(int64(-1), uint64(1), byte(38))
	f.Add(int64(1<<62), uint64(12345), byte(5))
	f.Fuzz(func(t *testing.T, hi int64, lo uint64, scale byte) {
		scale %= 39
		n := decimal128.New(hi, lo)
		digits, negative := appendDigits(nil, n)
		text, ok := numericText(appendNumeric(nil, digits, negative, int(scale)))
		want := n.ToString(int32(scale))
		if hi == -1<<63 && lo == 0 {
			return // decimal128 itself can't print it
		}
		if strings.Trim(want, "-0.") == "" {
			want = strings.TrimPrefix(want, "-")
		}
		if !ok || text != want {
			t.Errorf("%s came back as %q %v", want, text, ok)
		}
	})
}
