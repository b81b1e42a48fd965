package query

import (
	"sync"

	"leat/internal/auth"
	"leat/internal/types"
)

// maxTenantLive is how many of maxLiveResults a principal may have begun that has filters or fixed parameters: one tenant leaves room for others.
const maxTenantLive = maxLiveResults / 2

// liveCount counts the results that are kept up to date.
type liveCount struct {
	mu  sync.Mutex // guards all
	all int
	of  map[string]int // by principals with filters or fixed parameters
}

// take counts one that a principal begins, unless there are too many.
func (c *liveCount) take(p auth.Principal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	const hint = "share arguments between subscribers, or follow a materialized view and pick rows by column=value"
	switch tenant := p.DataKey() != ""; {
	case c.all >= maxLiveResults:
		return types.Errorf(types.TooManyRequests, "%d different results of endpoints are followed; that is the server's limit", c.all).WithHint(hint)
	case tenant && c.of[p.ID] >= maxTenantLive:
		return types.Errorf(types.TooManyRequests, "%d different results of endpoints are followed by this principal; that is its limit", c.of[p.ID]).WithHint(hint)
	case tenant:
		if c.of == nil {
			c.of = map[string]int{}
		}
		c.of[p.ID]++
	}
	c.all++
	return nil
}

// give is the opposite of take.
func (c *liveCount) give(p auth.Principal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if p.DataKey() == "" {
		return
	}
	if c.of[p.ID]--; c.of[p.ID] == 0 {
		delete(c.of, p.ID)
	}
}

func (c *liveCount) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}
