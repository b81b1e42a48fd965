package pgwire

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"leat/internal/auth"
	"leat/internal/types"
)

func TestWhatASessionKeepsIsBounded(t *testing.T) {
	s, addr := serve(t, Options{})
	p := login(t, addr)
	if got := p.simple("BEGIN"); got != "BEGIN, T" {
		t.Fatal(got)
	}
	p.send(&pgproto3.Parse{Name: "s", Query: "SELECT $1", ParameterOIDs: []uint32{25}}, &pgproto3.Sync{})
	if got := p.until(); got != "parsed, T" {
		t.Fatal(got)
	}
	large := []byte(strings.Repeat("x", 30<<20))
	bind := func(portal string) {
		p.send(&pgproto3.Bind{DestinationPortal: portal, PreparedStatement: "s", Parameters: [][]byte{large}}, &pgproto3.Sync{})
	}
	// A portal that is used again, or closed, gives back what it kept.
	for i := range maxSessionHeld/len(large) + 2 {
		name := []string{"", "once"}[i%2]
		bind(name)
		p.until()
		p.send(&pgproto3.Close{ObjectType: 'P', Name: name}, &pgproto3.Sync{})
		if got := p.until(); got != "closed, T" {
			t.Fatal(got)
		}
	}
	for _, name := range strings.Fields("a b c d e f g h") {
		p.Frontend.Send(&pgproto3.Bind{DestinationPortal: name, PreparedStatement: "s", Parameters: [][]byte{large}})
		if p.Frontend.Flush() != nil {
			break // it was disconnected in the middle of a message
		}
	}
	if code := p.ended(); code != "FATAL 53200" && code != "" { // the error may be lost behind what was not read
		t.Errorf("ended with %q", code)
	}
	for deadline := time.Now().Add(10 * time.Second); s.held.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still counted", s.held.Load())
		}
	}
}

// ending are users whose credentials end.
type ending struct {
	open
	ended *atomic.Bool
}

func (ending) Required() bool { return true }
func (e ending) Authenticate(string) (auth.Principal, error) {
	if e.ended.Load() {
		return auth.Principal{}, types.Errorf(types.Unauthenticated, "the JWT has an issuer that this server does not know")
	}
	return auth.Local, nil
}

// A session by JWT ends with its issuer, also while a statement runs.
func TestSessionsEndWithTheirCredential(t *testing.T) {
	for _, sql := range []string{"", "WAIT"} {
		var ended atomic.Bool
		_, addr := serve(t, Options{Users: ending{ended: &ended}})
		p := dial(t, addr, pgproto3.ProtocolVersion30, map[string]string{"user": "jwt"})
		if _, ok := p.receive().(*pgproto3.AuthenticationCleartextPassword); !ok {
			t.Fatal("no question for a password")
		}
		p.send(&pgproto3.PasswordMessage{Password: "a.b.c"})
		p.until()
		if sql != "" {
			p.send(&pgproto3.Query{String: sql})
		}
		ended.Store(true)
		if code := p.ended(); code != "FATAL 28000" {
			t.Errorf("%q: ended with %q", sql, code)
		}
	}
}

// Who came before a server had tokens has to leave once it does.
func TestSessionsEndWithTheFirstToken(t *testing.T) {
	var required atomic.Bool
	_, addr := serve(t, Options{Users: becoming{required: &required}})
	p := login(t, addr)
	required.Store(true)
	if code := p.ended(); code != "FATAL 28000" {
		t.Errorf("ended with %q", code)
	}
}

type becoming struct {
	open
	required *atomic.Bool
}

func (b becoming) Required() bool { return b.required.Load() }
