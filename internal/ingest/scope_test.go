package ingest

import (
	"testing"

	"leat/internal/auth"
	"leat/internal/catalog"
)

// An Idempotency-Key of one tenant says nothing about another's, also where their JWTs have no sub of their own.
func TestIdempotencyKeysAreOfOneTenant(t *testing.T) {
	of := func(id, tenant string) string {
		p := auth.Principal{ID: id}
		if tenant != "" {
			p.Filters = map[string]auth.Filter{"*": {{Column: "tenant", Value: tenant}}}
		}
		return scope(p, &catalog.Object{ID: 7})
	}
	seen := map[string]bool{of("app:", ""): true, of("app:", "a"): true, of("app:", "b"): true, of("app:x", "a"): true}
	if len(seen) != 4 || !seen[of("app:", "a")] {
		t.Errorf("the scopes are %v", seen)
	}
}
