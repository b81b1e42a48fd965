package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leat/internal/auth/authtest"
	"leat/internal/catalog"
	"leat/internal/types"
)

type object = map[string]any

// world is a Service with an admin token, at a time of its own.
type world struct {
	*Service
	testing.TB
	store *authtest.Memory
	at    time.Time
}

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB) *world {
	w := &world{TB: t, store: &authtest.Memory{}, at: start}
	w.Service = NewService(w.store, false)
	w.now = func() time.Time { return w.at }
	if _, _, err := w.Create(t.Context(), "boss", []string{"admin"}); err != nil {
		t.Fatal(err)
	}
	return w
}

const iss, aud = "https://id.example", "leat"

// issuer is the least of an issuer with a key; change alters it.
func (w *world) issuer(algorithm, public string, change ...func(*IssuerSpec)) IssuerInfo {
	w.Helper()
	spec := IssuerSpec{Name: "app", Algorithm: algorithm, Issuer: iss, Audience: aud, Scopes: []string{"read:*"}, Keys: []KeySpec{{PEM: public}}}
	if algorithm == hs256 {
		spec.Keys = []KeySpec{{Secret: authtest.Secret}}
	}
	for _, c := range change {
		c(&spec)
	}
	info, err := w.CreateIssuer(w.Context(), spec)
	if err != nil {
		w.Fatal(err)
	}
	return info
}

// good are claims that pass; more replaces them, a nil value removes one.
func good(more object) object {
	c := object{"iss": iss, "aud": aud, "sub": "ada", "iat": start.Unix(), "exp": start.Add(time.Hour).Unix()}
	for k, v := range more {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

// hs signs claims with the secret.
func (w *world) hs(more object) string {
	return authtest.Sign(w, hs256, []byte(authtest.Secret), nil, good(more))
}

func (w *world) wantRefused(text, why string) {
	w.Helper()
	p, err := w.Authenticate(text)
	if !types.HasCode(err, types.Unauthenticated) && !types.HasCode(err, types.PermissionDenied) || !strings.Contains(err.Error(), why) {
		w.Errorf("want refused with %q, got %v, %v", why, p, err)
		return
	}
	for part := range strings.SplitSeq(text, ".") {
		if len(part) > 8 && strings.Contains(err.Error()+types.AsError(err).Hint, part) {
			w.Errorf("the error shows a part of the JWT: %v", err)
		}
	}
}

func TestEveryAlgorithmVerifies(t *testing.T) {
	for algorithm := range methods {
		t.Run(algorithm, func(t *testing.T) {
			w := newWorld(t)
			key, public := authtest.Key(t, algorithm)
			w.issuer(algorithm, public)
			text := authtest.Sign(t, algorithm, key, nil, good(nil))
			for range 2 { // the second time from the cache
				p, err := w.Authenticate(text)
				if err != nil || p.ID != "app:ada" || !p.May(Read, "x") || p.May(Append, "x") || p.Filtered() || !p.Expires.Equal(start.Add(time.Hour+time.Minute)) {
					t.Fatalf("%+v, %v", p, err)
				}
			}
			other, _ := authtest.Key(t, algorithm)
			if algorithm == hs256 {
				other = []byte(strings.ToUpper(authtest.Secret))
			}
			if algorithm == rs256 {
				k, err := rsa.GenerateKey(rand.Reader, 2048)
				if err != nil {
					t.Fatal(err)
				}
				other = k
			}
			w.wantRefused(authtest.Sign(t, algorithm, other, nil, good(nil)), "signature")
		})
	}
}

// Attacks on JWTs as the literature lists them (RFC 8725 and the CVEs behind it).
func TestAttacks(t *testing.T) {
	w := newWorld(t)
	private, public := authtest.Key(t, rs256)
	w.issuer(rs256, public)
	sign := func(header object, more object) string { return authtest.Sign(t, rs256, private, header, good(more)) }
	valid := sign(nil, nil)
	if _, err := w.Authenticate(valid); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(valid, ".")
	der, err := x509.MarshalPKIXPublicKey(private.(crypto.Signer).Public())
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(private.(*rsa.PrivateKey).Public().(*rsa.PublicKey))}))
	hmacWith := func(secret string) string { return authtest.Sign(t, hs256, []byte(secret), nil, good(nil)) }
	payload := authtest.Part(t, good(nil))
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	embedded := object{"jwk": authtest.JWK("x", own.Public()), "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert", "kid": "../../dev/null"}
	for name, attack := range map[string]struct{ text, why string }{
		"none":                       {authtest.Part(t, object{"alg": "none", "typ": "JWT"}) + "." + payload + ".", "algorithm"},
		"None":                       {authtest.Part(t, object{"alg": "None"}) + "." + payload + ".", "can't be read"},
		"none with the signature":    {authtest.Part(t, object{"alg": "none"}) + "." + payload + "." + parts[2], "algorithm"},
		"no algorithm":               {authtest.Part(t, object{"typ": "JWT"}) + "." + payload + "." + parts[2], "can't be read"},
		"algorithm as a list":        {authtest.Part(t, object{"alg": []string{"RS256"}}) + "." + payload + "." + parts[2], "can't be read"},
		"HMAC with the PEM":          {hmacWith(public), "algorithm"},
		"HMAC with the trimmed PEM":  {hmacWith(strings.TrimSpace(public)), "algorithm"},
		"HMAC with the DER":          {hmacWith(string(der)), "algorithm"},
		"HMAC with the PKCS1 PEM":    {hmacWith(pkcs1), "algorithm"},
		"HMAC called RS256":          {authtest.Part(t, object{"alg": "RS256"}) + "." + payload + "." + strings.Split(hmacWith(public), ".")[2], "signature"},
		"a larger RSA algorithm":     {authtest.Sign(t, "RS512", private, nil, good(nil)), "algorithm"},
		"PSS":                        {authtest.Sign(t, "PS256", private, nil, good(nil)), "algorithm"},
		"no signature":               {parts[0] + "." + parts[1] + ".", "signature"},
		"a signature of zeros":       {parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 256)), "signature"},
		"another payload":            {parts[0] + "." + authtest.Part(t, good(object{"sub": "root"})) + "." + parts[2], "signature"},
		"another header":             {authtest.Part(t, object{"alg": "RS256", "x": 1}) + "." + parts[1] + "." + parts[2], "signature"},
		"padding":                    {parts[0] + "." + parts[1] + "." + parts[2] + "=", "can't be read"},
		"a key in the header":        {authtest.Sign(t, rs256, own, embedded, good(nil)), "signature"},
		"critical extension":         {sign(object{"crit": []string{"exp"}}, nil), "crit"},
		"empty crit":                 {sign(object{"crit": []string{}}, nil), "crit"},
		"unencoded payload":          {sign(object{"b64": false}, nil), "b64"},
		"kid as a number":            {sign(object{"kid": 1}, nil), "kid"},
		"kid as an object":           {sign(object{"kid": object{"$ne": nil}}, nil), "kid"},
		"a long kid":                 {sign(object{"kid": strings.Repeat("k", 201)}, nil), "kid"},
		"an ID token of logout":      {sign(object{"typ": "logout+jwt"}, nil), "typ"},
		"a proof of possession":      {sign(object{"typ": "dpop+jwt"}, nil), "typ"},
		"no exp":                     {sign(nil, object{"exp": nil}), "exp"},
		"exp as text":                {sign(nil, object{"exp": "9999999999"}), "exp"},
		"exp beyond all clocks":      {sign(nil, object{"exp": json.Number("1e300")}), "exp"},
		"negative exp":               {sign(nil, object{"exp": -1}), "exp"},
		"ended":                      {sign(nil, object{"exp": start.Add(-61 * time.Second).Unix()}), "ended"},
		"not yet":                    {sign(nil, object{"nbf": start.Add(61 * time.Second).Unix()}), "not valid before"},
		"made in the future":         {sign(nil, object{"iat": start.Add(61 * time.Second).Unix()}), "future"},
		"another audience":           {sign(nil, object{"aud": "other"}), "aud"},
		"an audience that begins so": {sign(nil, object{"aud": aud + ".evil"}), "aud"},
		"no audience":                {sign(nil, object{"aud": nil}), "aud"},
		"audience as an object":      {sign(nil, object{"aud": object{aud: 1}}), "aud"},
		"another issuer":             {sign(nil, object{"iss": "https://evil.example"}), "iss"},
		"issuer with a slash":        {sign(nil, object{"iss": iss + "/"}), "iss"},
		"no issuer":                  {sign(nil, object{"iss": nil}), "iss"},
		"issuer as a list":           {sign(nil, object{"iss": []string{iss}}), "iss"},
		"sub as a number":            {sign(nil, object{"sub": 1}), "sub"},
		"a long sub":                 {sign(nil, object{"sub": strings.Repeat("s", 201)}), "sub"},
		"too long":                   {sign(nil, object{"x": strings.Repeat("x", maxJWTBytes)}), "limit"},
		"payload is a list":          {authtest.Part(t, object{"alg": "RS256"}) + "." + authtest.Part(t, []int{1}) + "." + parts[2], "can't be read"},
		"payload is null":            {authtest.Part(t, object{"alg": "RS256"}) + "." + authtest.Part(t, "null") + "." + parts[2], "iss"},
		"no claims":                  {authtest.Sign(t, rs256, private, nil, object{}), "iss"},
		"names that collapse":        {authtest.Sign(t, rs256, private, nil, strings.Replace(authtest.JSON(t, good(nil)), "{", "{\"tid\xff\":1,", 1)), "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			w.TB = t
			w.wantRefused(attack.text, attack.why)
		})
	}
	// Clocks may be a minute apart.
	for name, more := range map[string]object{
		"just ended": {"exp": start.Add(-59 * time.Second).Unix()}, "nearly valid": {"nbf": start.Add(59 * time.Second).Unix()}, "fractions": {"exp": json.Number("1795262400.5")},
		"audience among others": {"aud": []string{"x", aud}}, "no sub": {"sub": nil},
	} {
		if _, err := w.Authenticate(sign(nil, more)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, typ := range []string{"JWT", "jwt", "at+jwt", "application/at+JWT"} {
		if _, err := w.Authenticate(sign(object{"typ": typ}, nil)); err != nil {
			t.Errorf("typ %s: %v", typ, err)
		}
	}
}

// A signature of ECDSA that Go's own ASN.1 form, or one of zeros (CVE-2022-21449), would let pass.
func TestBadECDSASignatures(t *testing.T) {
	w := newWorld(t)
	key, public := authtest.Key(t, es256)
	w.issuer(es256, public)
	text := authtest.Sign(t, es256, key, nil, good(nil))
	signed := text[:strings.LastIndexByte(text, '.')+1]
	n := elliptic.P256().Params().N.Bytes()
	asn1, err := key.(crypto.Signer).Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	for _, signature := range [][]byte{make([]byte, 64), bytes.Repeat([]byte{1}, 64), append(bytes.Clone(n), n...), asn1, make([]byte, 63), make([]byte, 128)} {
		w.wantRefused(signed+base64.RawURLEncoding.EncodeToString(signature), "signature")
	}
}

func TestGreatestAge(t *testing.T) {
	w := newWorld(t)
	w.issuer(hs256, "", func(s *IssuerSpec) { s.MaxAge, s.Leeway = "10m", "5s" })
	text := w.hs(nil)
	p, err := w.Authenticate(text)
	if err != nil || !p.Expires.Equal(start.Add(10*time.Minute+5*time.Second)) {
		t.Fatalf("%v, %v", p.Expires, err)
	}
	w.wantRefused(w.hs(object{"iat": nil}), "iat")
	w.at = start.Add(10*time.Minute + 4*time.Second)
	if _, err := w.Authenticate(text); err != nil {
		t.Error(err)
	}
	w.at = start.Add(10*time.Minute + 5*time.Second)
	w.wantRefused(text, "older") // although it was cached
}

func TestTheCacheForgets(t *testing.T) {
	w := newWorld(t)
	w.issuer(hs256, "")
	text := w.hs(nil)
	if _, err := w.Authenticate(text); err != nil {
		t.Fatal(err)
	}
	w.at = start.Add(time.Hour + time.Minute)
	w.wantRefused(text, "ended")
	w.at = start
	if err := w.DeleteIssuer(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	w.wantRefused(text, "iss")
	w.issuer(hs256, "", func(s *IssuerSpec) { s.Scopes = []string{"read:other"} })
	if p, err := w.Authenticate(text); err != nil || p.May(Read, "x") || !p.May(Read, "other") {
		t.Errorf("the new issuer's rules don't hold: %+v, %v", p, err)
	}
	tok, info, err := w.Create(t.Context(), "", []string{"read:a"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := w.Authenticate(tok.Reveal()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Revoke(t.Context(), info.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Authenticate(tok.Reveal()); !types.HasCode(err, types.Unauthenticated) {
		t.Errorf("a revoked token is cached: %v", err)
	}
}

func scopeTexts(p Principal) []string {
	out := []string{}
	for _, s := range p.Scopes {
		out = append(out, s.String())
	}
	return out
}

func TestClaimsOnlyNarrowScopes(t *testing.T) {
	w := newWorld(t)
	w.issuer(hs256, "", func(s *IssuerSpec) { s.Scopes = []string{"read:a", "read:b", "append:*", "raw"} })
	for _, c := range []struct {
		claim any
		want  []string
	}{
		{nil, []string{"append:*", "raw", "read:a", "read:b"}},
		{"read:a", []string{"read:a"}},
		{[]string{"read:*"}, []string{"read:a", "read:b"}},
		{[]string{"append:x", "append:x", "read:c"}, []string{"append:x"}},
		{[]string{"admin", "create"}, []string{}},
		{"", []string{}},
		{[]string{}, []string{}},
	} {
		p, err := w.Authenticate(w.hs(object{"leat_scopes": c.claim}))
		if err != nil || !reflect.DeepEqual(scopeTexts(p), c.want) {
			t.Errorf("%v: %v, %v", c.claim, scopeTexts(p), err)
		}
	}
	for _, bad := range []any{1, object{}, []any{1}, "all", []string{"read"}} {
		w.wantRefused(w.hs(object{"leat_scopes": bad}), "leat_scopes")
	}
}

func TestFiltersAndParamsComeFromClaims(t *testing.T) {
	w := newWorld(t)
	w.issuer(hs256, "", func(s *IssuerSpec) {
		s.Params = map[string]string{"tenant": "tid", "plan": "/app/plan"}
		s.Filters = map[string]map[string]string{"*": {"tenant_id": "tid"}, "products": {}, "orders": {"tenant_id": "tid", "region": "https://x.example/region"}}
	})
	full := object{"tid": 7, "https://x.example/region": "eu", "app": object{"plan": true}}
	p, err := w.Authenticate(w.hs(full))
	if err != nil {
		t.Fatal(err)
	}
	if want := (map[string]any{"tenant": json.Number("7"), "plan": true}); !reflect.DeepEqual(p.Params, want) {
		t.Errorf("params %v", p.Params)
	}
	want := map[string]Filter{"*": {{"tenant_id", json.Number("7")}}, "products": {}, "orders": {{"region", "eu"}, {"tenant_id", json.Number("7")}}}
	if !reflect.DeepEqual(p.Filters, want) {
		t.Errorf("filters %v", p.Filters)
	}
	for name := range full {
		less := maps.Clone(full)
		less[name] = nil
		_, err := w.Authenticate(w.hs(less))
		if !types.HasCode(err, types.PermissionDenied) || !strings.Contains(err.Error(), strings.TrimSuffix(name, "/plan")) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for _, bad := range []any{nil, []string{"eu"}, object{"a": 1}} {
		more := maps.Clone(full)
		more["app"] = object{"plan": bad}
		w.wantRefused(w.hs(more), "/app/plan")
	}
	// leat_filters add conditions and open nothing.
	more := maps.Clone(full)
	more["leat_filters"] = object{"orders": object{"status": "open", "tenant_id": 8}, "users": object{"id": 1}}
	more["leat_params"] = object{"extra": "e", "tenant": 7}
	if p, err = w.Authenticate(w.hs(more)); err != nil {
		t.Fatal(err)
	}
	if f := p.Filters["orders"]; len(f) != 4 || !reflect.DeepEqual(f[:2], want["orders"]) {
		t.Errorf("orders %v", f)
	}
	if f := p.Filters["users"]; !reflect.DeepEqual(f, Filter{{"tenant_id", json.Number("7")}, {"id", json.Number("1")}}) {
		t.Errorf("users %v", f)
	}
	if p.Params["extra"] != "e" {
		t.Errorf("params %v", p.Params)
	}
	more["leat_params"] = object{"tenant": 8}
	w.wantRefused(w.hs(more), "tenant")
}

func TestFiltersNeverOpen(t *testing.T) {
	w := newWorld(t)
	w.issuer(hs256, "", func(s *IssuerSpec) { s.Filters = map[string]map[string]string{"orders": {}} })
	p, err := w.Authenticate(w.hs(object{"leat_filters": object{"users": object{}, "*": object{"a": 1}}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.FilterOf("users"); ok {
		t.Error("leat_filters opened a relation")
	}
	if f, ok := p.FilterOf("orders"); !ok || len(f) != 1 {
		t.Errorf("orders: %v %v", f, ok)
	}
	if err := w.DeleteIssuer(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	// Where the issuer restricts nothing, leat_filters are all that can be read.
	w.issuer(hs256, "")
	p, err = w.Authenticate(w.hs(object{"leat_filters": object{"users": object{"id": 1}}}))
	if _, ok := p.FilterOf("orders"); err != nil || ok {
		t.Errorf("orders are open: %v", err)
	}
	if p, err = w.Authenticate(w.hs(nil)); err != nil || p.Filtered() {
		t.Errorf("%+v %v", p, err)
	}
	// An empty object restricts to nothing at all.
	if p, err = w.Authenticate(w.hs(object{"leat_filters": object{}})); err != nil || !p.Filtered() {
		t.Errorf("%+v %v", p, err)
	}
	for _, bad := range []any{1, "x", object{"a b": object{}}, object{"orders": 1}, object{"orders": object{"a": nil}}, object{"orders": object{"a": []int{1}}}} {
		w.wantRefused(w.hs(object{"leat_filters": bad}), "leat_filters")
	}
}

func TestClaimsOnlyLowerLimits(t *testing.T) {
	w := newWorld(t)
	w.issuer(hs256, "", func(s *IssuerSpec) { s.Limits = LimitsSpec{Rate: 10, Burst: 20, MaxRows: 100, Timeout: "2s"} })
	for _, c := range []struct {
		claim any
		want  Limits
	}{
		{nil, Limits{Rate: 10, Burst: 20, MaxRows: 100, Timeout: 2 * time.Second}},
		{object{"rate": 5, "max_rows": 1000, "concurrent": 3}, Limits{Rate: 5, Burst: 20, Concurrent: 3, MaxRows: 100, Timeout: 2 * time.Second}},
		{object{"rate": 50, "timeout": "1s", "max_bytes": 10}, Limits{Rate: 10, Burst: 20, MaxRows: 100, MaxBytes: 10, Timeout: time.Second}},
		{object{"burst": 1}, Limits{Rate: 10, Burst: 1, MaxRows: 100, Timeout: 2 * time.Second}},
	} {
		p, err := w.Authenticate(w.hs(object{"leat_limits": c.claim}))
		if err != nil || p.Limits != c.want {
			t.Errorf("%v: %+v, %v", c.claim, p.Limits, err)
		}
	}
	for _, bad := range []any{1, object{"rate": -1}, object{"rate": "5"}, object{"rat": 5}, object{"timeout": "soon"}, object{"max_rows": 1.5}} {
		w.wantRefused(w.hs(object{"leat_limits": bad}), "leat_limits")
	}
}

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

// What is shown of an issuer holds no secret in any form.
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
type publisher struct {
	mu    sync.Mutex
	keys  []any // guarded by mu
	err   error // guarded by mu
	count atomic.Int32
	hold  chan struct{}
}

func (p *publisher) fetch(context.Context, string) ([]byte, error) {
	p.count.Add(1)
	if p.hold != nil {
		<-p.hold
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return nil, p.err
	}
	return json.Marshal(object{"keys": p.keys})
}

func (p *publisher) set(err error, keys ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys, p.err = keys, err
}

func TestPublishedKeys(t *testing.T) {
	for _, algorithm := range []string{rs256, es256, eddsa} {
		t.Run(algorithm, func(t *testing.T) {
			w := newWorld(t)
			p := &publisher{}
			w.WithFetch(p.fetch)
			first, _ := authtest.Key(t, algorithm)
			second, _ := authtest.Key(t, algorithm)
			jwk := func(kid string, key any) any { return authtest.JWK(kid, key.(crypto.Signer).Public()) }
			sign := func(kid string, key any) string {
				return authtest.Sign(t, algorithm, key, object{"kid": kid}, good(nil))
			}
			// What is no key for this is passed over: secrets, keys for encryption, junk.
			junk := []any{object{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}, object{"kty": "RSA", "kid": "one", "use": "enc", "n": "AQAB", "e": "AQAB"}, 1, object{}, object{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}
			p.set(nil, append(junk, jwk("one", first))...)
			w.issuer(algorithm, "", func(s *IssuerSpec) { s.Keys, s.JWKSURL = nil, "https://id.example/keys" })
			if _, err := w.Authenticate(sign("one", first)); err != nil || p.count.Load() != 2 {
				t.Fatalf("%v after %d fetches", err, p.count.Load())
			}
			// An unknown kid fetches again, but not at once, and not twice.
			p.set(nil, jwk("one", first), jwk("two", second))
			for range 3 {
				w.wantRefused(sign("two", second), "kid")
			}
			w.at = w.at.Add(refreshApart)
			if _, err := w.Authenticate(sign("two", second)); err != nil || p.count.Load() != 3 {
				t.Fatalf("%v after %d fetches", err, p.count.Load())
			}
			// Keys that can't be fetched stay; why is told to admins.
			p.set(errors.New("connection refused"))
			w.at = w.at.Add(refreshEvery)
			w.wantRefused(sign("three", second), "kid")
			if _, err := w.Authenticate(sign("two", second)); err != nil {
				t.Errorf("the last good keys are gone: %v", err)
			}
			if info := w.Issuers()[0]; !strings.Contains(info.JWKSError, "refused") || len(info.Keys) != 2 || info.FetchedAt == nil {
				t.Errorf("%+v", info)
			}
			// A key that is not published any more is refused, cached or not.
			p.set(nil, jwk("two", second))
			w.at = w.at.Add(refreshApart)
			w.wantRefused(sign("three", second), "kid")
			w.wantRefused(sign("one", first), "kid")
		})
	}
}

// JWTs with made-up kids can't pile up behind a slow publisher.
func TestASlowPublisherHoldsNobody(t *testing.T) {
	w := newWorld(t)
	p := &publisher{}
	w.WithFetch(p.fetch)
	key, _ := authtest.Key(t, eddsa)
	p.set(nil, authtest.JWK("one", key.(crypto.Signer).Public()))
	w.issuer(eddsa, "", func(s *IssuerSpec) { s.Keys, s.JWKSURL = nil, "https://id.example/keys" })
	text := authtest.Sign(t, eddsa, key, object{"kid": "one"}, good(nil))
	if _, err := w.Authenticate(text); err != nil {
		t.Fatal(err)
	}
	w.at = w.at.Add(refreshApart)
	p.hold = make(chan struct{})
	before := p.count.Load()
	unknown := authtest.Sign(t, eddsa, key, object{"kid": "two"}, good(nil))
	done := make(chan error)
	go func() { _, err := w.Authenticate(unknown); done <- err }()
	for p.count.Load() == before {
		time.Sleep(time.Millisecond)
	}
	w.wantRefused(unknown, "kid") // at once, while the other waits
	if _, err := w.Authenticate(text); err != nil {
		t.Error(err)
	}
	close(p.hold)
	if err := <-done; !types.HasCode(err, types.Unauthenticated) {
		t.Error(err)
	}
}

func TestWithoutKeysItIsUnavailable(t *testing.T) {
	w := newWorld(t)
	p := &publisher{}
	w.WithFetch(p.fetch)
	key, _ := authtest.Key(t, eddsa)
	p.set(nil, authtest.JWK("one", key.(crypto.Signer).Public()))
	w.issuer(eddsa, "", func(s *IssuerSpec) { s.Keys, s.JWKSURL = nil, "https://id.example/keys" })
	p.set(errors.New("10.1.2.3: no route"))
	again := NewService(w.store, false).WithFetch(p.fetch) // as after a restart
	again.now = w.now
	_, err := again.Authenticate(authtest.Sign(t, eddsa, key, nil, good(nil)))
	if !types.HasCode(err, types.Unavailable) || strings.Contains(err.Error(), "10.1.2.3") {
		t.Errorf("%v", err)
	}
	if _, err := w.CreateIssuer(t.Context(), IssuerSpec{Name: "b", Algorithm: eddsa, Issuer: "b", Audience: aud, Scopes: []string{"read:*"}, JWKSURL: "https://id.example/keys"}); err == nil {
		t.Error("an issuer whose keys can't be fetched is kept")
	}
}

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

// Issuers, and what restricts a token, outlive the process; so does that there is no restriction, or one to nothing.
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

func TestDataKeysTellViewsApart(t *testing.T) {
	keys := map[string]string{}
	for name, p := range map[string]Principal{
		"all": {ID: "a"}, "none": {Filters: map[string]Filter{}}, "one": {Filters: map[string]Filter{"o": {{"t", "1"}}}}, "number": {Filters: map[string]Filter{"o": {{"t", json.Number("1")}}}},
		"param": {Params: object{"t": "1"}}, "both": {Params: object{"t": "1"}, Filters: map[string]Filter{}}, "rows": {Filters: map[string]Filter{"o": {}}},
	} {
		if other, twice := keys[p.DataKey()]; twice {
			t.Errorf("%s and %s have one key", name, other)
		}
		keys[p.DataKey()] = name
	}
	a := Principal{ID: "a", Filters: map[string]Filter{"o": {{"x", "1"}, {"y", "2"}}}}
	b := Principal{ID: "b", Filters: map[string]Filter{"o": {{"y", "2"}, {"x", "1"}}}}
	if a.DataKey() != b.DataKey() || (Principal{ID: "z"}).DataKey() != "" {
		t.Error("the order of conditions makes a difference")
	}
}

func FuzzAuthenticateJWT(f *testing.F) {
	w := newWorld(f)
	w.issuer(hs256, "", func(s *IssuerSpec) { s.Filters = map[string]map[string]string{"*": {"t": "tid"}} })
	f.Add(w.hs(object{"tid": 1}))
	f.Add(w.hs(object{"tid": 1, "leat_scopes": "read:x", "leat_limits": object{"rate": 1}, "leat_filters": object{"o": object{"a": true}}}))
	f.Add("eyJ.eyJ.")
	f.Add(authtest.Part(f, object{"alg": "none"}) + "." + authtest.Part(f, good(nil)) + ".")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := w.Authenticate(text)
		if err == nil && (text == "" || !p.Filtered()) {
			t.Fatalf("%q passes as %+v", text, p)
		}
	})
}

// FuzzClaims looks at the payload alone, as if its signature fitted.
func FuzzClaims(f *testing.F) {
	w := newWorld(f)
	w.issuer(hs256, "", func(s *IssuerSpec) {
		s.Scopes, s.Params = []string{"read:a", "append:*"}, map[string]string{"p": "/a/b"}
		s.Filters = map[string]map[string]string{"orders": {"t": "tid"}}
	})
	i := w.store.Issuers()[0]
	for _, more := range []object{{"tid": 1, "a": object{"b": "x"}}, {"leat_scopes": "read:*", "tid": "", "a": object{"b": false}}, {"leat_filters": object{"*": object{"x": 1}}, "tid": 1, "a": object{"b": 1}}} {
		b, err := json.Marshal(good(more))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, text string) {
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		var c claims
		if dec.Decode(&c) != nil {
			return
		}
		_, _ = c.checkTimes(i, start) // must not panic
		p, err := c.principal(i)
		if err != nil {
			return
		}
		if p.May(Admin, "") || p.May(Create, "") || p.May(Raw, "") || p.May(Read, "b") || !p.Filtered() {
			t.Fatalf("%s opens too much: %+v", text, p)
		}
		if _, open := p.FilterOf("users"); open {
			t.Fatalf("%s opens a relation: %+v", text, p.Filters)
		}
		if own, ok := p.FilterOf("orders"); ok && (len(own) == 0 || own[0].Column != "t") {
			t.Fatalf("%s drops the issuer's filter: %+v", text, p.Filters)
		}
	})
}

func FuzzParseJWKS(f *testing.F) {
	f.Add(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`)
	f.Add(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		for algorithm := range methods {
			keys, err := parseJWKS(algorithm, []byte(text))
			if err == nil && (len(keys) == 0 || len(keys) > maxPublishedKeys || algorithm == hs256) {
				t.Fatalf("%s: %d keys", algorithm, len(keys))
			}
		}
	})
}

func BenchmarkAuthenticateJWT(b *testing.B) {
	w := newWorld(b)
	key, public := authtest.Key(b, rs256)
	w.issuer(rs256, public)
	text := authtest.Sign(b, rs256, key, nil, good(nil))
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.Authenticate(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verified", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := w.verifyJWT(text, start); err != nil {
				b.Fatal(err)
			}
		}
	})
}
