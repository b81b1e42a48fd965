package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leat/internal/auth/authtest"
	"leat/internal/catalog"
	"leat/internal/types"
)

func TestGeneratedTokensParse(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		tok := Generate()
		back, err := Parse(tok.Reveal())
		if err != nil || back != tok {
			t.Fatalf("Parse(%q) = %v, %v", tok.Reveal(), back, err)
		}
		if seen[tok.ID] {
			t.Fatalf("id %s came twice", tok.ID)
		}
		seen[tok.ID] = true
	}
}

const fixedToken = "leat_0z0c0z0c0z0c_0z0c0z0c0z0c0z0c0z0c0z0c0z0c0z0c01eyOwR"

// The format is a promise to secret scanners and to stored configurations: this token must parse for ever.
func TestTokenFormatIsFixed(t *testing.T) {
	tok := generate(bytes.NewReader(bytes.Repeat([]byte{0, 61, 255, 62, 100}, 40)))
	if tok.Reveal() != fixedToken {
		t.Errorf("token is %s", tok.Reveal())
	}
	if _, err := Parse(fixedToken); err != nil {
		t.Errorf("an old token is refused: %v", err)
	}
}

func TestEveryTypoIsFound(t *testing.T) {
	text := Generate().Reveal()
	for i := range len(text) {
		for _, c := range []byte("0Az_ \x00\xff") {
			if text[i] == c {
				continue
			}
			bad := text[:i] + string(c) + text[i+1:]
			_, err := Parse(bad)
			if !types.HasCode(err, types.Unauthenticated) {
				t.Fatalf("typo at %d passes: %q", i, bad)
			}
			if strings.Contains(err.Error(), text[20:40]) {
				t.Fatalf("the error shows the secret: %v", err)
			}
		}
	}
}

func TestTokensHideInLogs(t *testing.T) {
	tok := Generate()
	for _, format := range []string{"%v", "%s", "%+v", "%#v", "%q"} {
		if s := fmt.Sprintf(format, tok); strings.Contains(s, tok.Reveal()[18:]) {
			t.Errorf("%s prints the secret: %s", format, s)
		}
	}
}

func TestRedact(t *testing.T) {
	token := Generate()
	jwt := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
	for text, want := range map[string]string{
		"no route \"/" + token.Reveal() + "\"": "no route \"/" + tokenPrefix + token.ID + "_...\"",
		"a " + jwt + " b " + jwt:               "a (a JWT) b (a JWT)",
		"q=" + jwt[:30]:                        "q=(a JWT)",
		"leat_system.audit is no secret, eyJ.": "leat_system.audit is no secret, eyJ.",
		"":                                     "",
	} {
		if got := Redact(text); got != want {
			t.Errorf("Redact(%q) = %q", text, got)
		}
	}
}

func TestScopesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.Just("*"), rapid.StringMatching(`[a-z][a-z0-9_]{0,20}`)).Draw(t, "name")
		s := rapid.SampledFrom([]Scope{{Admin, ""}, {Create, ""}, {Raw, ""}, {Append, name}, {Read, name}}).Draw(t, "scope")
		back, err := ParseScope(s.String())
		if err != nil || back != s {
			t.Fatalf("ParseScope(%q) = %v, %v", s.String(), back, err)
		}
	})
}

func TestBadScopes(t *testing.T) {
	for _, text := range []string{"", "Admin", "admin:x", "raw:", "read", "append:", "read:a b", "read:A", "read:leat_system.x", "write:x", "read:*x", " read:x"} {
		if _, err := ParseScope(text); !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("ParseScope(%q) = %v", text, err)
		}
	}
	if _, err := ParseScopes(nil); err == nil {
		t.Error("no scopes pass")
	}
	if _, err := ParseScopes(slices.Repeat([]string{"admin"}, maxScopes+1)); !types.HasCode(err, types.LimitExceeded) {
		t.Errorf("too many scopes: %v", err)
	}
}

// The exchange of RFC 7677, section 3.
func TestVerifierMatchesRFC7677(t *testing.T) {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	v, err := verifierWith("pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	head, keys, _ := strings.Cut(strings.TrimPrefix(v, "SCRAM-SHA-256$"), "$")
	if head != "4096:W22ZaJ0SNY7soEsUEjb6gQ==" {
		t.Errorf("verifier starts with %s", head)
	}
	storedText, serverText, _ := strings.Cut(keys, ":")
	stored, _ := base64.StdEncoding.DecodeString(storedText)
	server, _ := base64.StdEncoding.DecodeString(serverText)
	const nonce = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	message := "n=user,r=rOprNGfwEbeRWgbNEkqO," + nonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws," + nonce
	sign := func(key []byte) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(message))
		return h.Sum(nil)
	}
	if got := base64.StdEncoding.EncodeToString(sign(server)); got != "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" {
		t.Errorf("server signature %s", got)
	}
	proof, _ := base64.StdEncoding.DecodeString("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
	for i, b := range sign(stored) {
		proof[i] ^= b
	}
	if sum := sha256.Sum256(proof); !bytes.Equal(sum[:], stored) {
		t.Error("the client's proof does not fit the stored key")
	}
}

func TestServiceLifeCycle(t *testing.T) {
	ctx := t.Context()
	s := NewService(&authtest.Memory{}, false)
	if p, err := s.Authenticate(""); err != nil || p.ID != "local" {
		t.Fatalf("an open server: %v, %v", p, err)
	}
	if _, _, err := s.Create(ctx, "", []string{"read:*"}); !types.HasCode(err, types.Conflict) {
		t.Fatalf("the first token need not be admin: %v", err)
	}
	admin, _, err := s.Create(ctx, "boss", []string{"admin"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(""); !types.HasCode(err, types.Unauthenticated) {
		t.Fatalf("with a token the server stays open: %v", err)
	}
	reader, shown, err := s.Create(ctx, "dash", []string{"read:b", "read:a", "read:b"})
	if err != nil || !slices.Equal(shown.Scopes, []string{"read:a", "read:b"}) {
		t.Fatalf("Create = %+v, %v", shown, err)
	}
	p, err := s.Authenticate(reader.Reveal())
	if err != nil || p.ID != reader.ID || !p.May(Read, "a") || p.May(Read, "c") || p.May(Append, "a") || p.May(Admin, "") {
		t.Fatalf("reader is %+v, %v", p, err)
	}
	if _, err := s.Authenticate(Generate().Reveal()); !types.HasCode(err, types.Unauthenticated) {
		t.Fatalf("an unknown token: %v", err)
	}
	if err := s.Revoke(ctx, admin.ID); !types.HasCode(err, types.Conflict) {
		t.Fatalf("the last admin could go: %v", err)
	}
	if err := s.Revoke(ctx, reader.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(reader.Reveal()); !types.HasCode(err, types.Unauthenticated) {
		t.Fatalf("a revoked token still works: %v", err)
	}
	if err := s.Revoke(ctx, admin.ID); err != nil || len(s.List()) != 0 {
		t.Fatalf("the very last token must be able to go on loopback: %v", err)
	}
	if err := s.Revoke(ctx, "nobody"); !types.HasCode(err, types.NotFound) {
		t.Fatalf("Revoke of nothing = %v", err)
	}
}

// Tokens outlive the process, and a revoked one stays revoked.
func TestTokensInTheCatalog(t *testing.T) {
	dir := t.TempDir()
	open := func() (*catalog.Catalog, *Service) {
		c, err := catalog.Open(dir, catalog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return c, NewService(InCatalog(c), true)
	}
	c, s := open()
	admin, _, err := s.Create(t.Context(), "boss", []string{"admin"})
	if err != nil {
		t.Fatal(err)
	}
	gone, _, err := s.Create(t.Context(), "gone", []string{"read:*"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c, s = open()
	defer c.Close()
	if p, err := s.Authenticate(admin.Reveal()); err != nil || !p.May(Admin, "") {
		t.Errorf("after a restart: %v, %v", p, err)
	}
	if _, err := s.Authenticate(gone.Reveal()); !types.HasCode(err, types.Unauthenticated) {
		t.Errorf("a revoked token: %v", err)
	}
	if list := s.List(); len(list) != 1 || list[0].Name != "boss" {
		t.Errorf("tokens %+v", list)
	}
}

func TestRequiredServerNeverOpens(t *testing.T) {
	ctx := t.Context()
	store := &authtest.Memory{}
	s := NewService(store, true)
	if _, err := s.Authenticate(""); !types.HasCode(err, types.Unauthenticated) {
		t.Fatalf("no tokens yet, but open: %v", err)
	}
	admin, _, err := s.Create(ctx, "", []string{"admin"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(ctx, admin.ID); !types.HasCode(err, types.Conflict) {
		t.Fatalf("the last admin could go: %v", err)
	}
}

// An ID that is known with another secret must not pass.
func TestSecretIsChecked(t *testing.T) {
	store := &authtest.Memory{}
	s := NewService(store, true)
	tok, _, err := s.Create(t.Context(), "", []string{"admin"})
	if err != nil {
		t.Fatal(err)
	}
	body := tokenPrefix + tok.ID + "_" + randomText(rand.Reader, secretLen)
	if _, err := s.Authenticate(body + checksum(body)); !types.HasCode(err, types.Unauthenticated) {
		t.Fatalf("another secret passes: %v", err)
	}
	// A store without the token answers a zero hash; no token may match that either.
	if (Token{}).matches([32]byte{}) {
		t.Fatal("the zero token matches the zero hash")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(fixedToken)
	f.Add("leat_")
	f.Add(strings.Repeat("leat_", 12))
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := Parse(text)
		if err != nil {
			if !types.HasCode(err, types.Unauthenticated) {
				t.Fatalf("not Unauthenticated: %v", err)
			}
			return
		}
		if tok.Reveal() != text || len(tok.ID) != idLen {
			t.Fatalf("Parse(%q) = %s", text, tok.Reveal())
		}
	})
}

func FuzzParseScope(f *testing.F) {
	for _, s := range []string{"admin", "read:*", "append:orders", "read:", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseScope(text)
		if err == nil && s.String() != text {
			t.Fatalf("ParseScope(%q).String() = %q", text, s.String())
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	s := NewService(&authtest.Memory{}, true)
	tok, _, err := s.Create(b.Context(), "", []string{"admin"})
	if err != nil {
		b.Fatal(err)
	}
	text := tok.Reveal()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Authenticate(text); err != nil {
			b.Fatal(err)
		}
	}
}
