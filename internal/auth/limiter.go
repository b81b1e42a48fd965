package auth

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"leat/internal/types"
)

// maxBuckets is how many principals and endpoints the Limiter counts; beyond it the one that was used least recently is forgotten, and starts
// anew with a whole burst. One with requests under way is never forgotten: there are fewer of those than buckets.
const maxBuckets = 1 << 14

// Limiter counts the requests of principals and of endpoints against their limits. Who has no limits costs nothing. It may be used from any
// goroutine, and by every protocol: one Limiter counts them together.
type Limiter struct {
	now func() time.Time

	mu      sync.Mutex
	buckets *simplelru.LRU[bucketKey, *bucket] // guarded by mu, with the buckets in it
	metrics LimiterMetrics                     // guarded by mu
}

// LimiterMetrics count the requests that were refused for a limit, by whose it was.
type LimiterMetrics struct {
	PrincipalRate, PrincipalConcurrent, EndpointRate, EndpointConcurrent uint64
}

// Metrics returns what has been counted.
func (l *Limiter) Metrics() LimiterMetrics {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.metrics
}

// bucketKey names a bucket: a principal's, or with endpoint set an endpoint's.
type bucketKey struct {
	endpoint bool
	name     string
}

// bucket counts for one principal or endpoint.
type bucket struct {
	// until is when the bucket will be full again (the theoretical arrival time of the generic cell rate algorithm).
	until time.Time
	// underWay counts requests where concurrency is limited.
	underWay int
}

// NewLimiter makes a Limiter.
func NewLimiter() *Limiter {
	buckets, err := simplelru.NewLRU[bucketKey, *bucket](maxBuckets, nil)
	if err != nil {
		panic("BUG: the limiter's buckets: " + err.Error())
	}
	return &Limiter{now: time.Now, buckets: buckets}
}

// Quota is what is left of a limit on the rate, for the headers X-RateLimit-*.
type Quota struct {
	// Limit is how many requests may come at once, Remaining how many of them may come now; a Limit of 0 is no limit.
	Limit, Remaining int
	// Reset is how long until Remaining is Limit again, if nothing comes.
	Reset time.Duration
}

// Grant lets one request in. The zero Grant is one without limits.
type Grant struct {
	// Quota is that of the limit with the fewest requests left.
	Quota Quota
	// Endpoint is set beside an error where it is the endpoint's limit that was hit, not the principal's own.
	Endpoint bool
	limiter  *Limiter
	occupied [2]*bucket
}

// Release ends the request. It must be called once.
func (g Grant) Release() {
	if g.limiter == nil {
		return
	}
	g.limiter.mu.Lock()
	defer g.limiter.mu.Unlock()
	for _, b := range g.occupied {
		if b != nil {
			b.underWay--
		}
	}
}

// Admit lets a request in, or answers types.TooManyRequests naming the limit: the principal's own, or that of the endpoint it calls, which is for
// all callers together; endpoint is "" where it calls none. A request that is refused counts for neither. The quota is also set with the error.
func (l *Limiter) Admit(p Principal, endpoint string, most Limits) (Grant, error) {
	own := p.Limits.Rate > 0 || p.Limits.Concurrent > 0
	theirs := endpoint != "" && (most.Rate > 0 || most.Concurrent > 0)
	if !own && !theirs {
		return Grant{}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	g := Grant{limiter: l}
	var mine *bucket
	if own {
		mine = l.bucket(bucketKey{name: p.ID})
		if limit, wait := mine.take(&g, 0, p.Limits, now); limit != "" {
			return Grant{Quota: g.Quota}, l.refuse(limit, wait, p.Limits, principalLimit(p))
		}
	}
	if theirs {
		if limit, wait := l.bucket(bucketKey{true, endpoint}).take(&g, 1, most, now); limit != "" {
			if own {
				mine.giveBack(p.Limits)
			}
			return Grant{Quota: g.Quota, Endpoint: true}, l.refuse(limit, wait, most, endpointLimit(endpoint))
		}
	}
	return g, nil
}

// bucket finds or makes a bucket; mu is held.
func (l *Limiter) bucket(key bucketKey) *bucket {
	if b, ok := l.buckets.Get(key); ok {
		return b
	}
	for l.buckets.Len() >= maxBuckets {
		oldest, b, _ := l.buckets.RemoveOldest()
		if b.underWay == 0 {
			break
		}
		l.buckets.Add(oldest, b)
	}
	b := &bucket{}
	l.buckets.Add(key, b)
	return b
}

// whose says who a limit belongs to, for errors and metrics.
type whose struct {
	who, raise string
	endpoint   bool
}

func principalLimit(p Principal) whose {
	if strings.Contains(p.ID, ":") {
		return whose{who: "JWTs of " + p.ID, raise: "an admin raises limits.%s of the issuer; leat_limits of the JWT can only lower it"}
	}
	return whose{who: "token " + p.ID, raise: "an admin makes a token with a higher limits.%s"}
}

func endpointLimit(name string) whose {
	return whose{"endpoint " + name, "ALTER ENDPOINT " + types.QuoteIdent(name) + " SET (%s = ...) raises it", true}
}

// The limits that requests are counted against.
const (
	rateLimit       = "rate"
	concurrentLimit = "concurrent"
)

// take counts a request, or says which limit it hit, and for the rate how long to wait.
func (b *bucket) take(g *Grant, slot int, l Limits, now time.Time) (limit string, wait time.Duration) {
	if l.Concurrent > 0 && b.underWay >= l.Concurrent {
		return concurrentLimit, 0
	}
	if l.Rate > 0 {
		wait, quota := b.spend(l, now)
		if g.Quota.Limit == 0 || quota.Remaining < g.Quota.Remaining {
			g.Quota = quota
		}
		if wait > 0 {
			return rateLimit, wait
		}
	}
	if l.Concurrent > 0 {
		b.underWay++
		g.occupied[slot] = b
	}
	return "", 0
}

// refuse counts a request that hit a limit and makes its error; mu is held.
func (l *Limiter) refuse(limit string, wait time.Duration, most Limits, w whose) error {
	counter := &l.metrics.PrincipalRate
	e := types.Errorf(types.TooManyRequests, "%s: the limit is %g requests a second, with %d at once", w.who, most.Rate, burst(most))
	e.RetryAfter = int(math.Ceil(wait.Seconds()))
	switch {
	case limit == concurrentLimit:
		e.Message, e.RetryAfter = fmt.Sprintf("%s: %d requests are under way, which is the limit", w.who, most.Concurrent), 1
		if counter = &l.metrics.PrincipalConcurrent; w.endpoint {
			counter = &l.metrics.EndpointConcurrent
		}
	case w.endpoint:
		counter = &l.metrics.EndpointRate
	}
	*counter++
	e.Path = limit
	return e.WithHint("%s", strings.Replace(w.raise, "%s", limit, 1))
}

// burst is how many requests may come at once: what is allowed in a second, where nothing else is said.
func burst(l Limits) int {
	if l.Burst > 0 {
		return l.Burst
	}
	return max(1, int(math.Ceil(l.Rate)))
}

// interval is the time that one request takes of the bucket.
func interval(l Limits) time.Duration { return time.Duration(float64(time.Second) / l.Rate) }

// spend takes one request from the rate, or says how long to wait for the next.
func (b *bucket) spend(l Limits, now time.Time) (wait time.Duration, q Quota) {
	each, n := interval(l), burst(l)
	until := b.until
	if until.Before(now) {
		until = now
	}
	room := each*time.Duration(n) - until.Sub(now) // of time, before the bucket overflows
	if room < each {
		return each - room, Quota{n, 0, until.Sub(now)}
	}
	b.until = until.Add(each)
	return 0, Quota{n, int((room - each) / each), b.until.Sub(now)}
}

// giveBack undoes take for a request that another limit refused.
func (b *bucket) giveBack(l Limits) {
	if l.Concurrent > 0 {
		b.underWay--
	}
	if l.Rate > 0 {
		b.until = b.until.Add(-interval(l))
	}
}
