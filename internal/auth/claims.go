package auth

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"leat/internal/catalog"
	"leat/internal/types"
)

// maxClaimBytes bounds a claim that becomes a filter or a parameter, maxSubBytes sub.
const (
	maxClaimBytes = 4096
	maxSubBytes   = 200
)

// claims are the payload of a JWT whose signature was verified; numbers are json.Number.
type claims map[string]any

// refused is an error about what a JWT says.
func refused(format string, args ...any) *types.Error {
	return types.Errorf(types.Unauthenticated, "the JWT "+format, args...)
}

// time reads a NumericDate; ok is false where there is none. Years beyond 9999 are refused: no clock shows them.
func (c claims) time(name string) (at time.Time, ok bool, err error) {
	v, ok := c[name]
	if !ok {
		return at, false, nil
	}
	n, isNumber := v.(json.Number)
	seconds, err := n.Float64()
	if !isNumber || err != nil || !(seconds >= 0 && seconds < 253402300800) {
		return at, false, refused("has a claim %s that is no time in seconds", name)
	}
	whole := int64(seconds)
	return time.Unix(whole, int64((seconds-float64(whole))*1e9)), true, nil
}

// checkTimes checks exp, nbf and iat and returns when the JWT ends.
func (c claims) checkTimes(i *catalog.Issuer, now time.Time) (time.Time, error) {
	exp, hasExp, err1 := c.time("exp")
	nbf, hasNbf, err2 := c.time("nbf")
	iat, hasIat, err3 := c.time("iat")
	if err := errors.Join(err1, err2, err3); err != nil {
		return exp, types.AsError(err)
	}
	end := exp.Add(i.Leeway)
	switch {
	case !hasExp:
		return exp, refused("has no exp: JWTs must end")
	case !now.Before(end):
		return exp, refused("ended %s ago", now.Sub(exp).Round(time.Second)).WithHint("get a new one")
	case hasNbf && nbf.After(now.Add(i.Leeway)):
		return exp, refused("is not valid before %s", nbf.UTC().Format(time.RFC3339)).WithHint("compare the clocks")
	case hasIat && iat.After(now.Add(i.Leeway)):
		return exp, refused("was made in the future (iat)").WithHint("compare the clocks")
	case i.MaxAge > 0 && !hasIat:
		return exp, refused("has no iat, which this issuer's need for their greatest age of %s", i.MaxAge)
	case i.MaxAge > 0:
		if oldest := iat.Add(i.MaxAge + i.Leeway); !now.Before(oldest) {
			return exp, refused("is older than %s", i.MaxAge).WithHint("get a new one")
		} else if oldest.Before(end) {
			end = oldest
		}
	}
	return end, nil
}

// audience reports whether aud is, or holds, what it must.
func (c claims) audience(want string) bool {
	switch aud := c["aud"].(type) {
	case string:
		return aud == want
	case []any:
		return slices.Contains(aud, any(want))
	}
	return false
}

// value finds a claim that becomes a filter or parameter: by its name, or by a JSON Pointer (RFC 6901) where the name starts with a slash.
func (c claims) value(name string) (any, error) {
	v, ok := c[name]
	if !ok && strings.HasPrefix(name, "/") {
		v, ok = c.pointer(name)
	}
	denied := func(what string) error {
		return types.Errorf(types.PermissionDenied, "the JWT's claim %.100q %s", name, what).WithHint("its issuer must put it in: rows and parameters depend on it")
	}
	switch {
	case !ok:
		return nil, denied("is missing")
	case !scalar(v):
		return nil, denied("is not a string, number or Boolean")
	}
	return v, nil
}

func (c claims) pointer(name string) (any, bool) {
	at := any(map[string]any(c))
	for part := range strings.SplitSeq(name[1:], "/") {
		object, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]; !ok {
			return nil, false
		}
	}
	return at, true
}

// principal is what a JWT may do: what its issuer's JWTs may at most, narrowed by its own claims.
func (c claims) principal(i *catalog.Issuer) (Principal, error) {
	sub, ok := c["sub"].(string)
	if _, given := c["sub"]; given && !ok || len(sub) > maxSubBytes {
		return Principal{}, refused("has a sub that is no text of at most %d bytes", maxSubBytes)
	}
	p := Principal{ID: i.Name + ":" + sub, Limits: Limits(i.Limits)}
	for _, step := range []func(*Principal, *catalog.Issuer) error{c.setScopes, c.setParams, c.setFilters, c.setLimits} {
		if err := step(&p, i); err != nil {
			return Principal{}, err
		}
	}
	p.dataKey = computeDataKey(p)
	return p, nil
}

// setScopes takes the issuer's scopes, or those of leat_scopes (a list, or a text with spaces) that lie within them.
func (c claims) setScopes(p *Principal, i *catalog.Issuer) error {
	most, err := ParseScopes(i.Scopes)
	if err != nil {
		return types.Errorf(types.Corrupt, "stored issuer %s: %w", i.Name, err)
	}
	v, given := c["leat_scopes"]
	if !given {
		p.Scopes = most
		return nil
	}
	texts, ok := textList(v)
	if !ok || len(texts) > maxScopes {
		return refused("has leat_scopes that are no list of at most %d texts", maxScopes)
	}
	for _, text := range texts {
		s, err := ParseScope(text)
		if err != nil {
			return refused("has leat_scopes with %.80q, which is no scope", text)
		}
		for _, m := range most {
			if in, ok := m.within(s); ok && !slices.Contains(p.Scopes, in) && len(p.Scopes) < maxScopes {
				p.Scopes = append(p.Scopes, in)
			}
		}
	}
	return nil
}

// within is what two scopes both allow.
func (s Scope) within(o Scope) (Scope, bool) {
	switch {
	case s.Action != o.Action:
		return Scope{}, false
	case s.Object == o.Object || s.Object == "*":
		return o, true
	case o.Object == "*":
		return s, true
	}
	return Scope{}, false
}

func textList(v any) ([]string, bool) {
	if text, ok := v.(string); ok {
		return strings.Fields(text), true
	}
	list, ok := v.([]any)
	out := make([]string, 0, len(list))
	for _, e := range list {
		text, isText := e.(string)
		ok = ok && isText
		out = append(out, text)
	}
	return out, ok
}

// setParams fixes the issuer's parameters by their claims, and others by leat_params.
func (c claims) setParams(p *Principal, i *catalog.Issuer) error {
	own, err := c.object("leat_params")
	if err != nil {
		return err
	}
	if len(own)+len(i.Params) == 0 {
		return nil
	}
	p.Params = make(map[string]any, len(i.Params)+len(own))
	for name, v := range own {
		if !scalar(v) || types.CheckObjectName(name) != nil {
			return refused("has leat_params with a %.80q that fixes no parameter", name)
		}
		p.Params[name] = v
	}
	for name, claim := range i.Params {
		v, err := c.value(claim)
		if err != nil {
			return err
		}
		if had, twice := p.Params[name]; twice && had != v {
			return refused("has leat_params with %s, which the claim %.100q fixes", name, claim)
		}
		p.Params[name] = v
	}
	return nil
}

// setFilters takes the issuer's filters with the values of their claims, and those of leat_filters as well. Both follow one rule: a relation
// that is named has its own filter, every other one that of "*". Where the issuer has filters, only relations that they let be read stay;
// where it has none, leat_filters are all there is, and relations that they don't name can't be read.
func (c claims) setFilters(p *Principal, i *catalog.Issuer) error {
	own, err := c.ownFilters()
	if err != nil {
		return err
	}
	if i.Filters == nil {
		p.Filters = own
		return nil
	}
	most := make(map[string]Filter, len(i.Filters))
	for relation, columns := range i.Filters {
		f := make(Filter, 0, len(columns))
		for _, column := range slices.Sorted(maps.Keys(columns)) {
			v, err := c.value(columns[column])
			if err != nil {
				return err
			}
			f = append(f, Match{column, v})
		}
		most[relation] = f
	}
	p.Filters = both(most, own)
	return nil
}

// both keeps the rows that two sets of filters keep; a nil second one keeps all.
func both(most, own map[string]Filter) map[string]Filter {
	if own == nil {
		return most
	}
	out := make(map[string]Filter, len(most)+len(own))
	for _, name := range slices.Concat(slices.Collect(maps.Keys(most)), slices.Collect(maps.Keys(own))) {
		first, ok := most[name]
		if !ok {
			if first, ok = most["*"]; !ok {
				continue // the issuer lets nobody read it
			}
		}
		second, ok := own[name]
		if !ok {
			second = own["*"]
		}
		out[name] = slices.Concat(Filter{}, first, second)
	}
	return out
}

// ownFilters reads leat_filters: relation or * -> column -> value.
func (c claims) ownFilters() (map[string]Filter, error) {
	relations, err := c.object("leat_filters")
	if err != nil || relations == nil {
		return nil, err
	}
	out := make(map[string]Filter, len(relations))
	for relation, v := range relations {
		columns, ok := v.(map[string]any)
		if !ok || checkRelation(relation) != nil {
			return nil, refused("has leat_filters whose %.80q is not columns of a relation with their values", relation)
		}
		f := make(Filter, 0, len(columns))
		for _, column := range slices.Sorted(maps.Keys(columns)) {
			if !scalar(columns[column]) || types.CheckColumnName(column) != nil {
				return nil, refused("has leat_filters whose %.80q.%.80q is not a column with a string, number or Boolean", relation, column)
			}
			f = append(f, Match{column, columns[column]})
		}
		out[relation] = f
	}
	return out, nil
}

// setLimits lowers the issuer's limits to those of leat_limits.
func (c claims) setLimits(p *Principal, _ *catalog.Issuer) error {
	own, err := c.object("leat_limits")
	if err != nil || own == nil {
		return err
	}
	var spec LimitsSpec
	dec := json.NewDecoder(strings.NewReader(jsonText(own)))
	dec.DisallowUnknownFields() // a limit with a typo would not limit
	if err := dec.Decode(&spec); err != nil {
		return refused("has leat_limits that are no limits: %.200s", strings.TrimPrefix(err.Error(), "json: "))
	}
	l, err := spec.limits()
	if err != nil && spec.Burst > 0 && spec.Rate == 0 { // the rate may be the issuer's
		spec.Rate = p.Limits.Rate
		l, err = spec.limits()
	}
	if err != nil {
		return refused("has bad leat_limits: %s", types.AsError(err).Message)
	}
	p.Limits = p.Limits.Lowest(l)
	return nil
}

// object is a claim that is an object with at most maxRules members; nil if there is none.
func (c claims) object(name string) (map[string]any, error) {
	v, given := c[name]
	if !given {
		return nil, nil
	}
	o, ok := v.(map[string]any)
	if !ok || len(o) > maxRules {
		return nil, refused("has %s that is no object of at most %d members", name, maxRules)
	}
	return o, nil
}
