package auth

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"leat/internal/auth/authtest"
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

// What is shown of an issuer holds no secret in any form.
// JWTs with made-up kids can't pile up behind a slow publisher.
// Issuers, and what restricts a token, outlive the process; so does that there is no restriction, or one to nothing.
// FuzzClaims looks at the payload alone, as if its signature fitted.
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
