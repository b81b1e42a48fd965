// Package auth knows who may do what: tokens, scopes and the principal that a request acts as.
package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
)

// Action is what a scope allows.
type Action string

// The actions, as in the scope texts: admin, create, append:STREAM, read:OBJECT, raw.
// STREAM and OBJECT are names or * for all.
const (
	Admin  Action = "admin"
	Create Action = "create"
	Append Action = "append"
	Read   Action = "read"
	Raw    Action = "raw"
)

// Principal is who a request acts as. The zero value may do nothing.
type Principal struct {
	// ID is the token's ID, "local" on a server without tokens, or "<issuer>:<sub>" of a JWT.
	ID     string
	Scopes []Scope
	// Filters say which rows the principal sees of each relation, by bare name; "*" is for every relation that is not named. nil is no
	// restriction. A filtered principal can't read a relation without a Filter, nor run SQL of its own: it has endpoints, look-ups and changes.
	Filters map[string]Filter
	// Params are values of endpoints' parameters by name, which the caller then can't choose: string, json.Number, bool or nil.
	Params map[string]any
	Limits Limits
	// Expires is when the credential ends, the zero time never: what lasts longer than a request must end then.
	Expires time.Time
	// dataKey is DataKey, computed once.
	dataKey string
}

// DataKey tells principals apart that may see different answers of the same question: equal keys have equal Filters and Params. It is "" for
// who sees everything, else a hash. Two JWTs of one ID may differ in it, so what is kept of answers must be kept by this and not by ID.
func (p Principal) DataKey() string {
	if p.dataKey != "" || p.Filters == nil && len(p.Params) == 0 {
		return p.dataKey
	}
	return computeDataKey(p)
}

// computeDataKey hashes filters and parameters in the order of their names. JSON keeps values of different types apart.
func computeDataKey(p Principal) string {
	if p.Filters == nil && len(p.Params) == 0 {
		return ""
	}
	filters := make(map[string][]string, len(p.Filters))
	for relation, f := range p.Filters {
		texts := make([]string, len(f))
		for i, m := range f {
			texts[i] = jsonText([]any{m.Column, m.Value})
		}
		slices.Sort(texts)
		filters[relation] = texts
	}
	sum := sha256.Sum256([]byte(jsonText([]any{p.Filters != nil, filters, p.Params})))
	return hex.EncodeToString(sum[:16])
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: a filter's value has no JSON: " + err.Error())
	}
	return string(b)
}

// Filter keeps the rows in which all columns have the given values; an empty one keeps all rows.
type Filter []Match

// Match is one column of a Filter. Value is a string, json.Number or bool; NULL matches nothing.
type Match struct {
	Column string
	Value  any
}

// Limits bound what one principal may do; a zero field is the server's default.
type Limits struct {
	// Rate is requests a second, Burst how many may come at once, Concurrent how many may be under way.
	Rate       float64
	Burst      int
	Concurrent int
	// MaxRows and MaxBytes bound one answer, Timeout the time of one request.
	MaxRows  int
	MaxBytes int64
	Timeout  time.Duration
}

// Filtered reports whether the principal sees some rows only.
func (p Principal) Filtered() bool { return p.Filters != nil }

// FilterOf is the principal's filter of a relation; ok is false where it may not read it at all.
func (p Principal) FilterOf(relation string) (f Filter, ok bool) {
	if p.Filters == nil {
		return nil, true
	}
	if f, ok = p.Filters[relation]; !ok {
		f, ok = p.Filters["*"]
	}
	return f, ok
}

// Scope is one permission. Object is empty for actions that take none, and "*" for every object.
type Scope struct {
	Action Action
	Object string
}

// Local is the principal of a server without tokens, which listens on loopback only.
var Local = Principal{ID: "local", Scopes: []Scope{{Action: Admin}}}

// AuditRelation is the table of what admins did. It takes the scope admin to read it: read:* is not enough.
const AuditRelation = "leat_system.audit"

// May reports whether the principal may act on the object; admin may do everything.
func (p Principal) May(a Action, object string) bool {
	for _, s := range p.Scopes {
		if s.Action == Admin || s.Action == a && (s.Object == "" || s.Object == "*" || s.Object == object) && object != AuditRelation {
			return true
		}
	}
	return false
}
