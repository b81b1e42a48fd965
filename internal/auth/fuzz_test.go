package auth

import (
	"encoding/json"
	"strings"
	"testing"

	"leat/internal/auth/authtest"
)

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
