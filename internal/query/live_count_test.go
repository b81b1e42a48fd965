package query

import (
	"testing"

	"leat/internal/auth"
	"leat/internal/types"
)

func TestOneTenantLeavesLiveResultsToOthers(t *testing.T) {
	var c liveCount
	tenant := func(id string) auth.Principal {
		return filtered(map[string]auth.Filter{"*": {{Column: "k", Value: id}}})
	}
	a, b := tenant("a"), tenant("b")
	a.ID, b.ID = "app:a", "app:b"
	begin := func(p auth.Principal) (n int) {
		for ; ; n++ {
			if err := c.take(p); err != nil {
				if !types.HasCode(err, types.TooManyRequests) {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	if n := begin(a); n != maxTenantLive {
		t.Errorf("one tenant has %d", n)
	}
	if n := begin(b) + begin(auth.Local); n != maxLiveResults-maxTenantLive || c.count() != maxLiveResults {
		t.Errorf("the others have %d", n)
	}
	for range maxTenantLive {
		c.give(a)
		c.give(b)
	}
	if c.count() != 0 || len(c.of) != 0 {
		t.Errorf("%d are left, %v", c.count(), c.of)
	}
	if n := begin(auth.Local); n != maxLiveResults {
		t.Errorf("who sees everything has %d", n)
	}
}
