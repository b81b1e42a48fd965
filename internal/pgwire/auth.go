package pgwire

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"

	"leat/internal/auth"
	"leat/internal/types"
)

// The users whose password is a whole token, or a JWT, in the clear: over TLS or loopback only.
const (
	userJWT   = "jwt"
	userToken = "token"
)

// The authentication requests ('R').
const (
	authCleartext    = 3
	authSASL         = 10
	authSASLContinue = 11
	authSASLFinal    = 12
)

const (
	mechanism     = "SCRAM-SHA-256"
	mechanismPlus = "SCRAM-SHA-256-PLUS"
)

// badPassword says no more than PostgreSQL does: whether the user exists is nobody's business.
func (s *session) badPassword() error {
	return withState(types.Errorf(types.Unauthenticated, "password authentication failed for user %q", s.user).
		WithHint("the user is a token's ID, the password the whole token leat_<id>_<secret>"), "28P01")
}

// authenticate finds out whom the session acts for.
func (s *session) authenticate() (err error) {
	switch {
	case !s.server.Users.Required():
		s.principal = auth.Local
		return nil
	case s.user == userJWT || s.user == userToken:
		return s.cleartext()
	}
	return s.scram()
}

func (s *session) cleartext() (err error) {
	if !s.secure && !s.addr.IsLoopback() {
		return withState(types.Errorf(types.Unauthenticated, "a password in the clear needs TLS").WithHint("connect with sslmode=require"), "28000")
	}
	s.message('R', 0, 0, 0, authCleartext)
	body, err := s.response()
	if err != nil {
		return err
	}
	f := fields{b: body}
	token := string(f.cstring())
	if f.bad || len(f.b) > 0 {
		return failure("08P01", "invalid password packet size")
	}
	if token == "" {
		return s.badPassword()
	}
	if s.principal, err = s.server.Users.Authenticate(token); err != nil {
		return withState(types.AsError(err), "28P01")
	}
	s.credential = token
	return nil
}

// response sends what waits and reads the client's answer.
func (s *session) response() ([]byte, error) {
	if err := s.flush(); err != nil {
		return nil, err
	}
	kind, body, err := s.next()
	if err != nil {
		return nil, err
	}
	if kind != 'p' {
		if kind == 'X' {
			return nil, errDone
		}
		return nil, failure("08P01", "expected password response, got message type %q", kind)
	}
	return body, nil
}

// scram does SCRAM-SHA-256 (RFC 5802, 7677), over TLS also with the certificate bound to the exchange.
func (s *session) scram() error {
	credentials, real := s.credentials()
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return credentials, nil })
	if err != nil {
		return err
	}
	at := s.begin('R')
	s.out = append(s.out, 0, 0, 0, authSASL)
	conversation := server.NewConversation()
	plus := server.NewConversation()
	binding, bound := s.binding()
	if bound {
		plus = server.NewConversationWithChannelBindingRequired(binding)
		conversation = server.NewConversationWithChannelBinding(binding)
		s.out = append(append(s.out, mechanismPlus...), 0)
	}
	s.out = append(append(s.out, mechanism...), 0, 0)
	s.finish(at)
	body, err := s.response()
	if err != nil {
		return err
	}
	f := fields{b: body}
	name := string(f.cstring())
	first := f.take(int(max(f.int32(), -1)))
	if f.bad || len(f.b) > 0 {
		return failure("08P01", "malformed SASL response")
	}
	switch {
	case name == mechanismPlus && bound:
		conversation = plus
	case name != mechanism:
		return failure("08P01", "client selected an invalid SASL authentication mechanism")
	}
	challenge, err := conversation.Step(string(first))
	if err != nil {
		return failure("08P01", "malformed SCRAM message: %v", err)
	}
	s.sasl(authSASLContinue, challenge)
	if body, err = s.response(); err != nil {
		return err
	}
	proof, err := conversation.Step(string(body))
	if err != nil || !conversation.Valid() || !real {
		return s.badPassword()
	}
	s.sasl(authSASLFinal, proof)
	if s.principal, err = s.server.Users.Principal(s.user); err != nil {
		return s.badPassword() // revoked meanwhile
	}
	s.byToken = true
	return nil
}

func (s *session) sasl(code byte, data string) {
	at := s.begin('R')
	s.out = append(append(s.out, 0, 0, 0, code), data...)
	s.finish(at)
}

// credentials are the user's. Those of nobody look the same from outside: a salt that stays the same, and a proof that nothing fits.
func (s *session) credentials() (c scram.StoredCredentials, real bool) {
	if text, ok := s.server.Users.Verifier(s.user); ok {
		if c, ok := parseVerifier(text); ok {
			return c, true
		}
	}
	h := hmac.New(sha256.New, s.server.secret[:])
	h.Write([]byte(s.user))
	c = scram.StoredCredentials{KeyFactors: scram.KeyFactors{Salt: string(h.Sum(nil)[:16]), Iters: 4096}, StoredKey: make([]byte, 32), ServerKey: make([]byte, 32)}
	if _, err := rand.Read(c.StoredKey); err != nil {
		panic("BUG: the system's randomness failed: " + err.Error())
	}
	return c, false
}

// parseVerifier reads SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>.
func parseVerifier(text string) (c scram.StoredCredentials, ok bool) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '$' || r == ':' })
	if len(parts) != 5 || parts[0] != mechanism {
		return c, false
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 1 {
		return c, false
	}
	var decoded [3][]byte
	for i, part := range parts[2:] {
		if decoded[i], err = base64.StdEncoding.DecodeString(part); err != nil {
			return c, false
		}
	}
	return scram.StoredCredentials{KeyFactors: scram.KeyFactors{Salt: string(decoded[0]), Iters: n}, StoredKey: decoded[1], ServerKey: decoded[2]}, true
}

// newSecret draws the key that cancels a session's statements: four bytes in protocol 3.0, which the random number of the session adds to.
func newSecret(minor int) ([]byte, error) {
	out := make([]byte, 4)
	if minor >= newestMinor {
		out = make([]byte, 32)
	}
	_, err := rand.Read(out)
	return out, err
}

func (s *session) owns(secret []byte) bool { return len(s.secret) > 0 && hmac.Equal(s.secret, secret) }
