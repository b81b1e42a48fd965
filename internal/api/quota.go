package api

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"leat/internal/auth"
	"leat/internal/types"
)

// Guards are the parts of Options that limit and record; all may be nil.
type Guards struct {
	// Limiter counts requests of principals and endpoints, together with those of other protocols that have the same one.
	Limiter *auth.Limiter
	// EndpointLimits are those of an endpoint, zero for one without or for none of that name.
	EndpointLimits func(endpoint string) auth.Limits
	// Audit is told what admins do and who is refused.
	Audit func(auth.Event)
}

// admission is what let a call in.
type admission struct {
	// token is the credential as sent; "" is none.
	token string
	// bounds are those of the principal and of the endpoint that is called, the lower of each.
	bounds auth.Limits
	// overloaded is that the endpoint's limit was hit: a kept answer may be given all the same.
	overloaded error
	// ended is why the request's context ends, where that is a limit on its time.
	ended *types.Error
}

// admit counts the request against the limits of its principal and of the endpoint that it calls. What it returns ends the request.
func (c *call) admit() (release func(), err error) {
	if c.route.public {
		return nothing, nil
	}
	var theirs auth.Limits
	endpoint := c.endpointName()
	if endpoint != "" && c.s.EndpointLimits != nil {
		theirs = c.s.EndpointLimits(endpoint)
	}
	who := c.principal
	if c.route.tokenInURL {
		who.Limits.Concurrent, theirs.Concurrent = 0, 0 // streams are counted apart: they last, and share what they cost
	}
	grant, err := c.s.Limiter.Admit(who, endpoint, theirs)
	if q := grant.Quota; q.Limit > 0 {
		h := c.w.Header()
		h.Set("X-RateLimit-Limit", strconv.Itoa(q.Limit))
		h.Set("X-RateLimit-Remaining", strconv.Itoa(q.Remaining))
		h.Set("X-RateLimit-Reset", strconv.Itoa(int(math.Ceil(q.Reset.Seconds()))))
	}
	if grant.Endpoint && c.route.kept {
		c.overloaded = err
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	c.bounds = c.principal.Limits.Lowest(theirs)
	if c.bounds == (auth.Limits{}) && !c.route.tokenInURL {
		return nothing, nil
	}
	stop := c.bind(endpoint)
	return func() { stop(); grant.Release() }, nil
}

// nothing ends a request that no limit counts.
func nothing() {}

// bind makes the bounds on time and bytes hold for the request.
func (c *call) bind(endpoint string) (stop func()) {
	whose := func(mine bool) string {
		if mine {
			return "of " + c.principal.ID
		}
		return "of endpoint " + endpoint
	}
	if most := c.bounds.MaxBytes; most > 0 && !c.route.tokenInURL { // a stream has no end, so no length
		c.w.most = most
		c.w.tooLong = types.Errorf(types.LimitExceeded, "the answer is longer than the limit max_bytes %s, %d", whose(most == c.principal.Limits.MaxBytes), most).
			WithHint("ask for less, such as with _limit")
		c.w.tooLong.Path = "max_bytes"
	}
	if c.route.tokenInURL {
		return c.watch()
	}
	d := c.bounds.Timeout
	if d == 0 {
		return nothing
	}
	c.ended = types.Errorf(types.Timeout, "the request took longer than the limit timeout %s, %s", whose(d == c.principal.Limits.Timeout), d)
	c.ended.Path = "timeout"
	ctx, cancel := context.WithTimeoutCause(c.r.Context(), d, c.ended)
	c.r = c.r.WithContext(ctx)
	return cancel
}

// endpointName is the endpoint that the request calls; Tinybird's clients add the form of the answer.
func (c *call) endpointName() string {
	if c.route.endpoint == "" {
		return ""
	}
	name := c.r.PathValue(c.route.endpoint)
	if c.route.tinybird {
		name, _, _ = strings.Cut(name, ".")
	}
	return name
}

// explainLimit names the limit on time that ended a request, which a handler knows only as the end of its context.
func (c *call) explainLimit(err error) error {
	if err == nil || c.ended == nil || context.Cause(c.r.Context()) != error(c.ended) { //nolint:errorlint // it is the very same
		return err
	}
	if code := coded(err).Code; code == types.Timeout || code == types.Canceled {
		return c.ended
	}
	return err
}

// watchEvery is how often a stream asks whether its token still holds.
const watchEvery = 5 * time.Second

// watch ends the request's context when its token is revoked, its JWT ends or its scopes go, which a stream would else outlive.
func (c *call) watch() (stop func()) {
	ctx, cancel := context.WithCancelCause(c.r.Context())
	c.r = c.r.WithContext(ctx)
	probe := *c // what authorise finds must not change what the handler uses
	next := func() time.Duration {
		if left := time.Until(probe.principal.Expires); !probe.principal.Expires.IsZero() && left < watchEvery {
			return max(left, time.Millisecond)
		}
		return watchEvery
	}
	go func() {
		timer := time.NewTimer(next())
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			if err := probe.authorise(); err != nil {
				cancel(err)
				return
			}
			timer.Reset(next())
		}
	}()
	return func() { cancel(context.Canceled) }
}

// capRows lowers a number of rows to the limit max_rows; 0 asks for the server's default.
func (c *call) capRows(asked int) int {
	if most := c.bounds.MaxRows; most > 0 && (asked == 0 || asked > most) {
		return most
	}
	return asked
}

// usualPage is how many rows a page of look-ups has that names no number (query.DefaultPage).
const usualPage = 1000

// capPage is capRows for pages, which have fewer rows by default.
func (c *call) capPage(asked int) int {
	if asked == 0 && c.bounds.MaxRows >= usualPage {
		return 0
	}
	return c.capRows(asked)
}

// auditFailure tells of a request that was refused for who sent it.
func (c *call) auditFailure(err error) {
	if e := coded(err); e.Code == types.Unauthenticated && c.token != "" {
		c.s.Audit(auth.Event{Action: auth.FailedAuthentication, Object: c.route.pattern(), Outcome: string(e.Code), Detail: e.Message, Origin: c.origin()})
	}
}

// origin is where the request came from.
func (c *call) origin() auth.Origin { return auth.Origin{Remote: c.r.RemoteAddr, Request: c.w.id} }

// audit tells what an admin did, or tried to do.
func (c *call) audit(action, object, detail string, err error) {
	outcome := "ok"
	if err != nil {
		outcome = string(coded(err).Code)
	}
	c.s.Audit(auth.Event{Principal: c.principal.ID, Action: action, Object: object, Outcome: outcome, Detail: detail, Origin: c.origin()})
}
