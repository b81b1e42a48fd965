// Package auth knows who may do what: tokens, scopes and the principal that a request acts as.
package auth

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
	// ID is the token's ID, or "local" on a server without tokens.
	ID     string
	Scopes []Scope
}

// Scope is one permission. Object is empty for actions that take none, and "*" for every object.
type Scope struct {
	Action Action
	Object string
}

// Local is the principal of a server without tokens, which listens on loopback only.
var Local = Principal{ID: "local", Scopes: []Scope{{Action: Admin}}}

// May reports whether the principal may act on the object; admin may do everything.
func (p Principal) May(a Action, object string) bool {
	for _, s := range p.Scopes {
		if s.Action == Admin || s.Action == a && (s.Object == "" || s.Object == "*" || s.Object == object) {
			return true
		}
	}
	return false
}
