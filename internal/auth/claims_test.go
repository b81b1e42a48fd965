package auth

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"leat/internal/types"
)

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

// Bytes that are no UTF-8 are U+FFFD once a JWT is read: the texts of two tenants could be one.
func TestClaimsWithoutUTF8AreNoFilters(t *testing.T) {
	w := newWorld(t)
	w.issuer(hs256, "", func(s *IssuerSpec) { s.Filters = map[string]map[string]string{"*": {"tenant": "tid"}} })
	for _, tenant := range []string{"a\ufffd", "\ufffd"} {
		if _, err := w.Authenticate(w.hs(object{"tid": tenant})); !types.HasCode(err, types.PermissionDenied) {
			t.Errorf("%q: %v", tenant, err)
		}
	}
}
