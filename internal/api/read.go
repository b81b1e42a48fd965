package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"leat/internal/codec/encode"
	"leat/internal/types"
)

// reading is one call of an endpoint on its way to an answer: a new one, a kept one, or none because the caller has it.
type reading struct {
	*call
	request EndpointRequest
	options resultOptions
	// question tells calls apart that may be answered differently; "" keeps no answer.
	question  string
	published Published
	// fresh is set where a kept answer may be given only to who allows a stale one (cache = false).
	fresh bool
	// stale is how old an answer may be that is given at a limit; 0 is never.
	stale time.Duration

	// What have found out: the present stamp, that the caller has the answer, a kept one, one that another call makes, or that we make it.
	stamp      string
	unmodified bool
	found      *kept
	other, own *flight
	// began is a moment before the answer's.
	began time.Time
}

// readEndpoint calls an endpoint and answers.
func (c *call) readEndpoint(name string, args map[string]any, o resultOptions) error {
	o.name = name
	ctx, cancel, err := c.deadline("", c.s.Limits.QueryTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	r := &reading{call: c, options: o, began: time.Now(), request: EndpointRequest{
		Principal: c.principal, Name: name, Args: args, Freshness: o.Freshness, Limit: o.limit, Cursor: c.cursor(),
	}}
	r.request.Have = r.have
	if p, ok := c.s.Queries.Published(name); ok {
		r.keepable(p)
	}
	if c.overloaded != nil {
		return r.instead(c.overloaded)
	}
	if r.question != "" && !r.fresh && o.MaxStaleness > 0 && len(o.After.Cursors) == 0 {
		if k, seen, age := c.s.Results.recent(r.question, o.MaxStaleness, false); k != nil {
			if r.stamp = k.stamp; tagMatches(c.r.Header["If-None-Match"], k.tag) {
				return r.notModified(seen)
			}
			return r.give(k, seen, age)
		}
	}
	return r.run(ctx)
}

// cursor is the cursor of a page, nil where none was asked for; "" is the first page.
func (c *call) cursor() *string {
	if !c.query.Has(cursorParam.name) {
		return nil
	}
	text := c.query.Get(cursorParam.name)
	return &text
}

// keepable sets what may be kept of an endpoint's answers.
func (r *reading) keepable(p Published) {
	r.published, r.fresh, r.stale = p, p.NoCache, p.StaleIfOverloaded
	if r.s.Results == nil || p.StaleIfOverloaded == 0 && (p.NoCache || r.s.Results.isDirect(p)) {
		return
	}
	q := fmt.Appendf(make([]byte, 0, 256), "%d.%d %q %s %v %s %d %d", p.ID, p.Version, r.principal.DataKey(), r.options.format.Name,
		r.options.encode.variant(), r.options.coding, r.options.limit, r.principal.Limits.MaxRows)
	if r.request.Cursor != nil {
		q = fmt.Appendf(q, " %q", *r.request.Cursor)
	}
	for _, name := range slices.Sorted(maps.Keys(r.request.Args)) {
		q = fmt.Appendf(q, "&%q=%T%q", name, r.request.Args[name], fmt.Sprint(r.request.Args[name]))
		if len(q) > keptQuestion {
			return
		}
	}
	r.question = string(q)
}

// variant tells apart what options make of one format.
func (o EncodeOptions) variant() string {
	out := "n"
	if o.Int64AsString {
		out = "s"
	}
	if o.ClickHouse {
		out += "c"
	}
	return out
}

// have is EndpointRequest.Have.
func (r *reading) have(stamp string) bool {
	r.stamp = stamp
	if tagMatches(r.r.Header["If-None-Match"], r.tag()) {
		r.unmodified = true
		return true
	}
	if r.question == "" || r.fresh || r.r.Method == http.MethodHead {
		return false
	}
	r.found, r.own, r.other = r.s.Results.current(r.question, stamp)
	return r.found != nil || r.other != nil
}

// tag is the ETag of the present answer. It is weak: the JSON form says how long it took, and rows without an order may come in another one.
func (r *reading) tag() string {
	b := append(make([]byte, 0, 64), `W/"`...)
	b = append(append(append(b, r.stamp...), '.'), r.options.format.Name...)
	b = append(append(b, '.'), r.options.encode.variant()...)
	if r.options.coding != encode.Identity {
		b = append(append(b, '.'), r.options.coding...)
	}
	if key := r.principal.DataKey(); key != "" {
		b = append(append(b, '.'), key[:min(len(key), 12)]...)
	}
	return string(append(b, '"'))
}

// tagMatches compares weakly, as RFC 9110, 13.1.2 says.
func tagMatches(header []string, tag string) bool {
	for _, line := range header {
		for line != "" {
			var one string
			one, line, _ = strings.Cut(line, ",")
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// run asks for the answer, and lands the flight that it has become, whatever happens.
func (r *reading) run(ctx context.Context) error {
	var answer *kept
	defer func() {
		if r.own != nil {
			r.s.Results.land(r.question, r.stamp, r.own, answer)
		}
	}()
	out, err := r.s.Queries.Endpoint(ctx, r.request)
	if err == nil && r.other != nil {
		return r.follow(ctx, out)
	}
	if err != nil {
		return r.instead(err)
	}
	switch {
	case r.unmodified:
		return r.notModified(out.Seen)
	case r.found != nil:
		r.s.Results.confirm(r.found, out.Seen, r.began)
		return r.give(r.found, out.Seen, 0)
	}
	if out.Direct && r.question != "" {
		r.s.Results.direct(r.published)
	}
	r.headers(out)
	hold, keep := resultBuffer, func(body []byte, coding encode.Coding) {}
	if r.question != "" && (r.own != nil && !out.Direct || r.stale > 0) {
		hold = keptBody
		keep = func(body []byte, coding encode.Coding) {
			answer = &kept{question: r.question, stamp: out.Stamp, body: append([]byte(nil), body...), coding: coding, cursor: out.Cursor, seen: out.Seen, at: r.began}
			if out.Stamp != "" {
				answer.tag = r.tag()
			}
			r.s.Results.keep(answer)
			r.landed(answer)
		}
	}
	return r.writeRows(ctx, out.Rows, r.options, hold, keep)
}

// landed tells those who wait before the answer goes out: this caller may be slow.
func (r *reading) landed(answer *kept) {
	if r.own != nil {
		r.s.Results.land(r.question, r.stamp, r.own, answer)
		r.own = nil
	}
}

// follow waits for the answer that another call makes; where none comes of it, it makes its own.
func (r *reading) follow(ctx context.Context, out Outcome) error {
	k, err := r.s.Results.wait(ctx, r.other)
	if err != nil {
		return err
	}
	r.other = nil
	if k != nil {
		return r.give(k, out.Seen, 0)
	}
	r.request.Have = func(stamp string) bool { r.stamp = stamp; return false }
	return r.run(ctx)
}

// instead gives the last answer where the server is at a limit and the endpoint allows that, else the error.
func (r *reading) instead(err error) error {
	code := coded(err).Code
	if r.stale == 0 || r.question == "" || code != types.TooManyRequests && code != types.Unavailable && code != types.OutOfMemory {
		return err
	}
	k, seen, age := r.s.Results.recent(r.question, r.stale, true)
	if k == nil {
		return err
	}
	r.set("Leat-Stale", "true")
	return r.give(k, seen, age)
}

// headers are those of every answer of an endpoint.
func (r *reading) headers(out Outcome) {
	r.seen(out.Seen)
	r.next(out.Cursor)
	if out.Stamp == "" {
		return
	}
	r.set("Etag", r.tag())
	r.set("Cache-Control", "private, no-cache")
	if r.own != nil {
		r.set("Leat-Cache", "miss")
	}
}

// notModified answers 304.
func (r *reading) notModified(seen Seen) error {
	r.headers(Outcome{Seen: seen, Stamp: r.stamp})
	r.resultHeaders(r.options)
	for _, name := range []string{"Content-Type", "Content-Disposition"} {
		r.w.Header().Del(name)
	}
	r.w.WriteHeader(http.StatusNotModified)
	return nil
}

// give answers with what was kept; age is how long ago it was current, 0 where it still is.
func (r *reading) give(k *kept, seen Seen, age time.Duration) error {
	r.seen(seen)
	r.next(k.cursor)
	r.resultHeaders(r.options)
	r.set("Leat-Cache", "hit")
	if k.tag != "" {
		r.set("Etag", k.tag)
		r.set("Cache-Control", "private, no-cache")
	}
	if age > 0 {
		r.set("Age", strconv.Itoa(int(age/time.Second)))
	}
	return r.whole(k.body, k.coding)
}

// next leads to the next page.
func (c *call) next(cursor string) {
	if cursor == "" {
		return
	}
	c.set("Leat-Cursor", cursor)
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead {
		c.set("Link", "<"+c.nextPage(cursor)+`>; rel="next"`)
	}
}
