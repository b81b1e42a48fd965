package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"leat/internal/auth/authtest"
	"leat/internal/catalog"
	"leat/internal/types"
)

func TestBadIssuers(t *testing.T) {
	w := newWorld(t)
	_, rsaPEM := authtest.Key(t, rs256)
	_, ecPEM := authtest.Key(t, es256)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this machine makes no weak keys: ", err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(weak)}))
	good := IssuerSpec{Name: "app", Algorithm: hs256, Issuer: iss, Audience: aud, Keys: []KeySpec{{Secret: authtest.Secret}}, Scopes: []string{"read:*"}}
	for name, change := range map[string]func(*IssuerSpec){
		"name":                 func(s *IssuerSpec) { s.Name = "A b" },
		"algorithm":            func(s *IssuerSpec) { s.Algorithm = "none" },
		"no issuer":            func(s *IssuerSpec) { s.Issuer = "" },
		"no audience":          func(s *IssuerSpec) { s.Audience = "" },
		"admin":                func(s *IssuerSpec) { s.Scopes = []string{"admin"} },
		"create":               func(s *IssuerSpec) { s.Scopes = []string{"read:*", "create"} },
		"no scopes":            func(s *IssuerSpec) { s.Scopes = nil },
		"no keys":              func(s *IssuerSpec) { s.Keys = nil },
		"short secret":         func(s *IssuerSpec) { s.Keys[0].Secret = "x2345678901234567890123456789-1" },
		"dull secret":          func(s *IssuerSpec) { s.Keys[0].Secret = strings.Repeat("abc", 20) },
		"PEM as secret":        func(s *IssuerSpec) { s.Keys[0].Secret = rsaPEM },
		"two secrets":          func(s *IssuerSpec) { s.Keys[0].SecretBase64 = "YWJj" },
		"secret for RS256":     func(s *IssuerSpec) { s.Algorithm = rs256 },
		"PEM for HS256":        func(s *IssuerSpec) { s.Keys[0] = KeySpec{PEM: rsaPEM} },
		"EC key for RS256":     func(s *IssuerSpec) { s.Algorithm, s.Keys[0] = rs256, KeySpec{PEM: ecPEM} },
		"RSA key for ES256":    func(s *IssuerSpec) { s.Algorithm, s.Keys[0] = es256, KeySpec{PEM: rsaPEM} },
		"private key":          func(s *IssuerSpec) { s.Algorithm, s.Keys[0] = rs256, KeySpec{PEM: private} },
		"weak key":             func(s *IssuerSpec) { s.Algorithm, s.Keys[0] = rs256, KeySpec{PEM: authtest.PEM(t, weak.Public())} },
		"two PEM blocks":       func(s *IssuerSpec) { s.Algorithm, s.Keys[0] = rs256, KeySpec{PEM: rsaPEM + rsaPEM} },
		"keys and JWKS":        func(s *IssuerSpec) { s.JWKSURL = "https://id.example/keys" },
		"JWKS for HS256":       func(s *IssuerSpec) { s.JWKSURL, s.Keys = "https://id.example/keys", nil },
		"JWKS of a file":       func(s *IssuerSpec) { s.Algorithm, s.JWKSURL, s.Keys = rs256, "file:///etc/passwd", nil },
		"JWKS with a password": func(s *IssuerSpec) { s.Algorithm, s.JWKSURL, s.Keys = rs256, "https://u:p@id.example/keys", nil },
		"one kid twice": func(s *IssuerSpec) {
			s.Keys = []KeySpec{{KID: "k", Secret: authtest.Secret}, {KID: "k", Secret: authtest.Secret}}
		},
		"leeway":       func(s *IssuerSpec) { s.Leeway = "1h" },
		"max_age":      func(s *IssuerSpec) { s.MaxAge = "-1s" },
		"param":        func(s *IssuerSpec) { s.Params = map[string]string{"a b": "c"} },
		"empty claim":  func(s *IssuerSpec) { s.Params = map[string]string{"a": ""} },
		"bad relation": func(s *IssuerSpec) { s.Filters = map[string]map[string]string{"a.b": {}} },
		"rate":         func(s *IssuerSpec) { s.Limits.Rate = -1 },
	} {
		spec := good
		spec.Keys = []KeySpec{good.Keys[0]}
		change(&spec)
		_, err := w.CreateIssuer(t.Context(), spec)
		if !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, e := range append(types.AsError(err).Errors, types.AsError(err)) {
			if strings.Contains(e.Error(), authtest.Secret[:12]) {
				t.Errorf("%s: the error shows the secret: %v", name, e)
			}
		}
	}
	if len(w.Issuers()) != 0 {
		t.Errorf("%d bad issuers were kept", len(w.Issuers()))
	}
	if _, err := NewService(&authtest.Memory{}, true).CreateIssuer(t.Context(), good); !types.HasCode(err, types.Conflict) {
		t.Errorf("an issuer before the first token: %v", err)
	}
	if _, err := w.CreateIssuer(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	twin := good
	twin.Name = "twin"
	for _, spec := range []IssuerSpec{good, twin} {
		if _, err := w.CreateIssuer(t.Context(), spec); !types.HasCode(err, types.AlreadyExists) {
			t.Errorf("%s again: %v", spec.Name, err)
		}
	}
	if err := w.Revoke(t.Context(), w.List()[0].ID); !types.HasCode(err, types.Conflict) {
		t.Errorf("the last admin could go while there is an issuer: %v", err)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	w := newWorld(t)
	info := w.issuer(hs256, "")
	for _, v := range []any{info, w.Issuers()} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b) + fmt.Sprintf("%+v %#v", v, v)
		for _, secret := range []string{authtest.Secret[:10], base64.StdEncoding.EncodeToString([]byte(authtest.Secret))[:12]} {
			if strings.Contains(text, secret) {
				t.Errorf("the secret is in %s", text)
			}
		}
	}
}

// publisher is a JWKS that can change, fail and be slow.
func TestTokensWithFiltersAndLimits(t *testing.T) {
	w := newWorld(t)
	spec := TokenSpec{Name: "t", Scopes: []string{"read:*"}, Params: object{"tenant": json.Number("12345678901234567890")},
		Filters: map[string]map[string]any{"orders": {"tenant": "a", "ok": true}}, Limits: LimitsSpec{Rate: 2, Timeout: "1s"}}
	tok, info, err := w.CreateToken(t.Context(), spec)
	if err != nil || info.Limits.Rate != 2 {
		t.Fatalf("%+v %v", info, err)
	}
	p, err := w.Authenticate(tok.Reveal())
	if err != nil || p.Params["tenant"] != json.Number("12345678901234567890") || !reflect.DeepEqual(p.Filters["orders"], Filter{{"ok", true}, {"tenant", "a"}}) || p.Limits.Timeout != time.Second {
		t.Errorf("%+v %v", p, err)
	}
	if same, err := w.Principal(info.ID); err != nil || !reflect.DeepEqual(same, p) {
		t.Errorf("%+v %v", same, err)
	}
	if v, ok := w.Verifier(info.ID); !ok || !strings.HasPrefix(v, "SCRAM-SHA-256$") {
		t.Errorf("verifier %q", v)
	}
	for name, change := range map[string]func(*TokenSpec){
		"admin":  func(s *TokenSpec) { s.Scopes = []string{"admin"} },
		"create": func(s *TokenSpec) { s.Scopes = []string{"create"} },
		"value":  func(s *TokenSpec) { s.Params = object{"a": nil} },
		"list":   func(s *TokenSpec) { s.Filters = map[string]map[string]any{"orders": {"a": []any{1}}} },
		"rate":   func(s *TokenSpec) { s.Limits.Rate = -1 },
	} {
		bad := spec
		change(&bad)
		if _, _, err := w.CreateToken(t.Context(), bad); !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIssuersInTheCatalog(t *testing.T) {
	dir := t.TempDir()
	open := func() (*catalog.Catalog, *Service) {
		c, err := catalog.Open(dir, catalog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := NewService(InCatalog(c), true)
		s.now = func() time.Time { return start }
		return c, s
	}
	c, s := open()
	if _, _, err := s.Create(t.Context(), "boss", []string{"admin"}); err != nil {
		t.Fatal(err)
	}
	for name, filters := range map[string]map[string]map[string]string{"all": nil, "nothing": {}, "some": {"*": {"t": "tid"}, "open": {}}} {
		spec := IssuerSpec{Name: name, Algorithm: hs256, Issuer: name, Audience: aud, Keys: []KeySpec{{KID: "k", Secret: authtest.Secret}}, Scopes: []string{"read:*"}, Filters: filters,
			Params: map[string]string{"p": "tid"}, MaxAge: "2h", Limits: LimitsSpec{Rate: 0.5, Timeout: "3s"}}
		if _, err := s.CreateIssuer(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	tok, _, err := s.CreateToken(t.Context(), TokenSpec{Scopes: []string{"read:*"}, Filters: map[string]map[string]any{}, Limits: LimitsSpec{Concurrent: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteIssuer(t.Context(), "some"); err != nil {
		t.Fatal(err)
	}
	before := s.Issuers()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c, s = open()
	defer c.Close()
	if after := s.Issuers(); len(after) != 2 || !reflect.DeepEqual(after, before) {
		t.Errorf("%+v\nbefore %+v", after, before)
	}
	for name, filtered := range map[string]bool{"all": false, "nothing": true} {
		p, err := s.Authenticate(authtest.Sign(t, hs256, []byte(authtest.Secret), object{"kid": "k"}, good(object{"iss": name, "tid": "x"})))
		if err != nil || p.Filtered() != filtered || p.Limits != (Limits{Rate: 0.5, Timeout: 3 * time.Second}) || p.Params["p"] != "x" {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
	if _, err := s.Authenticate(authtest.Sign(t, hs256, []byte(authtest.Secret), nil, good(object{"iss": "some", "tid": "x"}))); !types.HasCode(err, types.Unauthenticated) {
		t.Errorf("a deleted issuer: %v", err)
	}
	if p, err := s.Authenticate(tok.Reveal()); err != nil || !p.Filtered() || p.Limits.Concurrent != 2 {
		t.Errorf("%+v %v", p, err)
	}
}
