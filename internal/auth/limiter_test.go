package auth

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leat/internal/types"
)

// clocked is a Limiter at a time of its own.
type clocked struct {
	*Limiter
	at time.Time
}

func newClocked() *clocked {
	c := &clocked{Limiter: NewLimiter(), at: start}
	c.now = func() time.Time { return c.at }
	return c
}

func (c *clocked) passes(p Principal, endpoint string, l Limits) bool {
	g, err := c.Admit(p, endpoint, l)
	if err == nil {
		g.Release()
	}
	return err == nil
}

func TestRateIsKept(t *testing.T) {
	c := newClocked()
	p := Principal{ID: "abc", Limits: Limits{Rate: 10, Burst: 5}}
	for i := range 5 {
		g, err := c.Admit(p, "", Limits{})
		if err != nil || g.Quota.Limit != 5 || g.Quota.Remaining != 4-i || g.Quota.Reset != time.Duration(i+1)*100*time.Millisecond {
			t.Fatalf("request %d: %+v, %v", i, g.Quota, err)
		}
	}
	g, err := c.Admit(p, "", Limits{})
	e := types.AsError(err)
	if !types.HasCode(err, types.TooManyRequests) || e.RetryAfter != 1 || e.Path != "rate" || !strings.Contains(e.Message, "token abc") || !strings.Contains(e.Message, "10 requests a second") || e.Hint == "" || g.Quota.Limit != 5 || g.Quota.Remaining != 0 {
		t.Fatalf("%+v, %+v", g.Quota, e)
	}
	if c.passes(Principal{ID: "other"}, "", Limits{}) != true {
		t.Error("another principal is limited too")
	}
	c.at = c.at.Add(99 * time.Millisecond)
	if c.passes(p, "", Limits{}) {
		t.Error("too early")
	}
	c.at = c.at.Add(time.Millisecond)
	if !c.passes(p, "", Limits{}) || c.passes(p, "", Limits{}) {
		t.Error("one request in 100 ms")
	}
	// Over a long time it is the rate, whatever comes.
	passed := 0
	for range 10_000 {
		c.at = c.at.Add(10 * time.Millisecond)
		if c.passes(p, "", Limits{}) {
			passed++
		}
	}
	if passed < 1000 || passed > 1001 {
		t.Errorf("%d requests in 100 s at 10 a second", passed)
	}
	c.at = c.at.Add(time.Hour)
	for i := range 6 {
		if c.passes(p, "", Limits{}) != (i < 5) {
			t.Errorf("after an hour of silence, request %d", i)
		}
	}
}

func TestSlowRates(t *testing.T) {
	c := newClocked()
	p := Principal{ID: "app:x", Limits: Limits{Rate: 1.0 / 3600}}
	if !c.passes(p, "", Limits{}) {
		t.Fatal("the first")
	}
	_, err := c.Admit(p, "", Limits{})
	if e := types.AsError(err); err == nil || e.RetryAfter != 3600 || !strings.Contains(e.Hint, "issuer") {
		t.Errorf("%+v", err)
	}
}

func TestConcurrencyIsKept(t *testing.T) {
	c := newClocked()
	p := Principal{ID: "abc", Limits: Limits{Concurrent: 2}}
	a, err1 := c.Admit(p, "", Limits{})
	b, err2 := c.Admit(p, "", Limits{})
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	_, err := c.Admit(p, "", Limits{})
	if e := types.AsError(err); !types.HasCode(err, types.TooManyRequests) || e.Path != "concurrent" || !strings.Contains(e.Message, "2 requests") {
		t.Fatalf("%v", err)
	}
	a.Release()
	if !c.passes(p, "", Limits{}) {
		t.Error("one has ended")
	}
	b.Release()
}

// An endpoint's limits are for all callers together, and a request that it refuses costs its caller nothing.
func TestEndpointsAreLimited(t *testing.T) {
	c := newClocked()
	limits := Limits{Rate: 2, Concurrent: 1}
	mine := func(i int) Principal {
		return Principal{ID: fmt.Sprint("p", i), Limits: Limits{Rate: 100, Concurrent: 1}}
	}
	for i := range 4 {
		_, err := c.Admit(Principal{ID: "anyone"}, "other", limits)
		if (err == nil) != (i < 1) {
			t.Errorf("another endpoint, call %d: %v", i, err)
		}
	}
	if !c.passes(mine(1), "e", limits) || !c.passes(mine(2), "e", limits) {
		t.Fatal("the burst")
	}
	for range 200 {
		_, err := c.Admit(mine(3), "e", limits)
		if e := types.AsError(err); err == nil || !strings.Contains(e.Message, "endpoint e") || !strings.Contains(e.Hint, "ALTER ENDPOINT e SET (rate") {
			t.Fatalf("%v", err)
		}
	}
	g, err := c.Admit(mine(3), "", Limits{})
	if err != nil || g.Quota.Remaining != 99 {
		t.Errorf("refused calls counted: %+v, %v", g.Quota, err)
	}
}

func TestUnlimitedIsFree(t *testing.T) {
	l := NewLimiter()
	if n := testing.AllocsPerRun(100, func() {
		g, _ := l.Admit(Local, "e", Limits{MaxRows: 1})
		g.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if l.buckets.Len() != 0 {
		t.Error("it has a bucket")
	}
}

func TestBucketsAreBounded(t *testing.T) {
	c := newClocked()
	busy := Principal{ID: "busy", Limits: Limits{Concurrent: 1}}
	g, err := c.Admit(busy, "", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * maxBuckets {
		if !c.passes(Principal{ID: fmt.Sprint("p", i), Limits: Limits{Rate: 1}}, "", Limits{}) {
			t.Fatal(i)
		}
	}
	if n := c.buckets.Len(); n != maxBuckets {
		t.Errorf("%d buckets", n)
	}
	if c.passes(busy, "", Limits{}) {
		t.Error("one with a request under way was forgotten")
	}
	g.Release()
	if !c.passes(busy, "", Limits{}) {
		t.Error("it was not released")
	}
}

func TestLimiterUnderLoad(t *testing.T) {
	l := NewLimiter()
	p := Principal{ID: "a", Limits: Limits{Concurrent: 3}}
	var under, most atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 2000 {
				g, err := l.Admit(p, "e", Limits{Concurrent: 2})
				if err != nil {
					continue
				}
				n := under.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				under.Add(-1)
				g.Release()
			}
		})
	}
	group.Wait()
	if most.Load() > 2 || most.Load() < 1 {
		t.Errorf("%d at once", most.Load())
	}
	g, err := l.Admit(p, "e", Limits{Concurrent: 2})
	if err != nil || l.buckets.Len() != 2 {
		t.Fatal(err)
	}
	g.Release()
}

func TestLowest(t *testing.T) {
	a := Limits{Rate: 1, Burst: 5, MaxRows: 10, Timeout: time.Second}
	b := Limits{Rate: 2, Concurrent: 3, MaxRows: 5, MaxBytes: 7}
	want := Limits{Rate: 1, Burst: 5, Concurrent: 3, MaxRows: 5, MaxBytes: 7, Timeout: time.Second}
	if a.Lowest(b) != want || b.Lowest(a) != want || a.Lowest(Limits{}) != a || (Limits{}).Lowest(a) != a {
		t.Errorf("%+v %+v", a.Lowest(b), b.Lowest(a))
	}
}

func BenchmarkAdmit(b *testing.B) {
	l := NewLimiter()
	p := Principal{ID: "a", Limits: Limits{Rate: 1e6, Burst: 1e6, Concurrent: 100}}
	b.ReportAllocs()
	for b.Loop() {
		g, err := l.Admit(p, "e", Limits{Concurrent: 10})
		if err == nil {
			g.Release()
		}
	}
}
