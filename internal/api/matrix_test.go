package api

import (
	"slices"
	"strings"
	"testing"
	"time"

	"leat/internal/auth"
	"leat/internal/auth/authtest"
)

// wantFiltered are the routes for principals who see some rows only, wantTokenInURL those that take _token. Both are written by hand, apart from
// the route table: to open a new route is a decision.
var (
	wantFiltered = []string{
		"POST /v1/events/{stream}", "GET /v1/endpoints", "GET /v1/endpoints/{endpoint}", "POST /v1/endpoints/{endpoint}", "GET /v1/endpoints/{endpoint}/live",
		"GET /v1/tables/{table}/rows/{key}", "GET /v1/tables/{table}/rows", "GET /v1/tables/{table}/changes",
		"GET /v1/views/{view}/rows/{key}", "GET /v1/views/{view}/rows", "GET /v1/views/{view}/changes", "GET /openapi.json", "GET /docs",
		"POST /v0/events", "GET /v0/pipes", "GET /v0/pipes/{pipe}", "POST /v0/pipes/{pipe}", "GET /healthz", "GET /readyz",
	}
	wantTokenInURL = []string{"GET /v1/views/{view}/changes", "GET /v1/tables/{table}/changes", "GET /v1/endpoints/{endpoint}/live"}
)

// eachRoute calls check with every route and a target that fits it.
func (h *harness) eachRoute(check func(r *route, pattern, target string)) {
	table := h.handler.(*server).table
	for i := range table {
		target := wildcard.ReplaceAllString(strings.ReplaceAll(table[i].path, "{profile...}", "cmdline"), "x")
		if table[i].id == "v0SendEvents" {
			target += "?name=x"
		}
		check(&table[i], table[i].pattern(), target)
	}
}

// refusal is the status of a bad credential: Tinybird's routes say it as Tinybird does.
func refusal(r *route) int {
	if r.tinybird {
		return 403
	}
	return 401
}

const testIssuer = "https://id.example"

// jwt signs claims of the test's issuer, which it makes when it is first used.
func (h *harness) jwt(more map[string]any) string {
	h.Helper()
	if len(h.tokens.Issuers()) == 0 {
		h.token("admin")
		if _, err := h.tokens.CreateIssuer(h.Context(), auth.IssuerSpec{
			Name: "app", Algorithm: "HS256", Issuer: testIssuer, Audience: "leat", Keys: []auth.KeySpec{{Secret: authtest.Secret}},
			Scopes: []string{"read:*", "append:*", "raw"}, Limits: auth.LimitsSpec{MaxRows: 1_000_000},
		}); err != nil {
			h.Fatal(err)
		}
	}
	claims := map[string]any{"iss": testIssuer, "aud": "leat", "sub": "ada", "exp": time.Now().Add(time.Hour).Unix()}
	for k, v := range more {
		claims[k] = v
	}
	return authtest.Sign(h, "HS256", []byte(authtest.Secret), nil, claims)
}

// may reports whether a set of scopes is one that a route wants, as wantScopes writes them.
func may(want []string, set string) bool {
	if set == "admin" || slices.Contains(want, "any") || slices.Contains(want, "public") {
		return true
	}
	have := strings.Fields(set)
	return slices.ContainsFunc(want, func(w string) bool {
		return !slices.ContainsFunc(strings.Fields(w), func(s string) bool { return !slices.Contains(have, s) })
	})
}

func TestEveryRouteAgainstEveryScope(t *testing.T) {
	h := newHarness(t)
	credentials := map[string][]string{} // by the set of scopes: tokens and JWTs that have it
	for _, set := range []string{
		"admin", "create", "raw", "append:x", "append:y", "append:*", "read:x", "read:y", "read:*",
		"raw read:x", "raw read:y", "raw read:*", "raw append:x", "raw append:y", "raw append:*", "create append:y read:y",
	} {
		credentials[set] = []string{h.token(strings.Fields(set)...)}
		if !strings.Contains(set, "admin") && !strings.Contains(set, "create") {
			credentials[set] = append(credentials[set], h.jwt(map[string]any{"leat_scopes": set}))
		}
	}
	// What a JWT claims beyond its issuer's scopes it does not get.
	credentials[""] = []string{h.jwt(map[string]any{"leat_scopes": "admin create"})}
	known := 0
	h.eachRoute(func(r *route, pattern, target string) {
		want, ok := wantScopes[pattern]
		if !ok {
			t.Errorf("route %s is not in the test's table", pattern)
			return
		}
		known++
		for set, list := range credentials {
			for _, credential := range list {
				w := h.do(r.method, target, "", "Authorization", "Bearer "+credential)
				if refused := w.Code == 401 || w.Code == 403; refused == may(want, set) {
					t.Errorf("%s with scopes %q: %d, want allowed=%v: %s", pattern, set, w.Code, may(want, set), w.Body)
				}
			}
		}
	})
	if known != len(wantScopes) {
		t.Errorf("%d routes, %d in the test's table", known, len(wantScopes))
	}
}

func TestEveryRouteAgainstBadCredentials(t *testing.T) {
	h := newHarness(t)
	valid := h.jwt(nil)
	bad := map[string]string{
		"none": "", "an unknown token": auth.Generate().Reveal(), "a token with a typo": strings.ToUpper(h.token("read:*")),
		"an expired JWT": h.jwt(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), "a JWT for another": h.jwt(map[string]any{"aud": "other"}),
		"a JWT without its signature": valid[:strings.LastIndexByte(valid, '.')+1], "a JWT of nobody": h.jwt(map[string]any{"iss": "https://evil.example"}),
	}
	h.eachRoute(func(r *route, pattern, target string) {
		for name, credential := range bad {
			var header []string
			if credential != "" {
				header = []string{"Authorization", "Bearer " + credential}
			}
			w := h.do(r.method, target, "", header...)
			if refused := w.Code == refusal(r); refused == r.public {
				t.Errorf("%s with %s: %d", pattern, name, w.Code)
			}
			if len(credential) > 20 && strings.Contains(w.Body.String(), credential[len(credential)-20:]) {
				t.Errorf("%s with %s shows it: %s", pattern, name, w.Body)
			}
		}
	})
	for name, credential := range bad {
		if len(credential) > 20 && strings.Contains(h.log.String(), credential[len(credential)-20:]) {
			t.Errorf("the log holds %s", name)
		}
	}
}

// A principal who sees some rows only reaches what passes through row filters, and nothing else, whatever its scopes.
func TestEveryRouteAgainstFilteredPrincipals(t *testing.T) {
	h := newHarness(t)
	h.token("admin")
	token, _, err := h.tokens.CreateToken(t.Context(), auth.TokenSpec{Scopes: []string{"read:*", "append:*", "raw"}, Filters: map[string]map[string]any{"*": {"tenant": "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, credential := range map[string]string{"token": token.Reveal(), "JWT": h.jwt(map[string]any{"leat_filters": map[string]any{"*": map[string]any{"tenant": "a"}}})} {
		h.eachRoute(func(r *route, pattern, target string) {
			w := h.do(r.method, target, "", "Authorization", "Bearer "+credential)
			if refused := w.Code == 401 || w.Code == 403; refused == slices.Contains(wantFiltered, pattern) {
				t.Errorf("%s with a filtered %s: %d %s", pattern, name, w.Code, w.Body)
			}
		})
	}
}

// A token in the URL is taken where a browser can't send a header, once, and shown nowhere; everywhere else it is refused.
func TestEveryRouteAgainstTokensInURLs(t *testing.T) {
	h := newHarness(t)
	credentials := []string{h.token("admin"), h.jwt(nil)}
	h.eachRoute(func(r *route, pattern, target string) {
		if r.tinybird {
			return // which takes the parameter token, as Tinybird does
		}
		takes := slices.Contains(wantTokenInURL, pattern)
		separator := "?"
		for _, credential := range credentials {
			w := h.do(r.method, target+separator+"_token="+credential, "")
			if accepted := !strings.Contains(w.Body.String(), "invalid_argument") && w.Code != 401; accepted != takes {
				t.Errorf("%s with _token: %d %s", pattern, w.Code, w.Body)
			}
			for _, query := range []string{"token=" + credential, "_token=" + credential + "&_token=" + credential, "access_token=" + credential} {
				if w := h.do(r.method, target+separator+query, ""); w.Code != 400 {
					t.Errorf("%s with %.12s...: %d %s", pattern, query, w.Code, w.Body)
				}
			}
			if takes {
				if w := h.do(r.method, target+"?_token="+credential, "", "Authorization", "Bearer "+credential); w.Code != 400 {
					t.Errorf("%s with two tokens: %d", pattern, w.Code)
				}
			}
		}
	})
	for _, credential := range credentials {
		if strings.Contains(h.log.String(), credential[len(credential)-16:]) {
			t.Error("the log holds a token")
		}
	}
}
