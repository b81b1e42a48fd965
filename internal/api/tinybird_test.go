package api

import (
	"context"
	"strings"
	"testing"
)

// stated is a catalog whose endpoints have their statements.
type stated struct{ Catalog }

func (c stated) Endpoints(ctx context.Context) ([]Endpoint, error) {
	all, err := c.Catalog.Endpoints(ctx)
	for i := range all {
		all[i].Statement = "CREATE ENDPOINT " + all[i].Name + " AS SELECT 1"
	}
	return all, err
}

// What a pipe's description says to who sees some rows only, or has parameters fixed, is what the list of pipes says: the text of the query may name
// values of others.
func TestPipesAreDescribedAsListed(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Catalog = stated{o.Catalog} })
	for _, c := range []struct {
		claims      map[string]any
		text, param bool
	}{
		{claims: nil, text: true, param: true},
		{claims: map[string]any{"leat_filters": map[string]any{"*": map[string]any{"state": "CA"}}}, param: true},
		{claims: map[string]any{"leat_params": map[string]any{"state": "CA"}}},
	} {
		bearer := []string{"Authorization", "Bearer " + h.jwt(c.claims)}
		for _, target := range []string{"/v0/pipes", "/v0/pipes/busiest"} {
			w := h.do("GET", target, "", bearer...)
			body := w.Body.String()
			if w.Code != 200 || strings.Contains(body, "SELECT") != c.text || strings.Contains(body, `"name":"state"`) != c.param {
				t.Errorf("%s as %v: %d %s", target, c.claims, w.Code, body)
			}
		}
	}
}
