package auth

import "context"

// Event is one entry of the audit log: who did what, from where, and how it ended. It never holds a secret.
type Event struct {
	// Principal is the ID of who did it; "" is the server itself, or somebody unknown.
	Principal string
	// Action is what was done, such as "create token", Object to what.
	Action, Object string
	// Outcome is ok or the code of the error.
	Outcome string
	Detail  string
	Origin  Origin
}

// FailedAuthentication is the Action of somebody who was refused for a credential. Anybody can cause any number of these.
const FailedAuthentication = "failed authentication"

// Origin is where a request came from: the address of its sender, and its ID.
type Origin struct{ Remote, Request string }

type originKey struct{}

// WithOrigin returns a context that knows where its request came from, for what happens far from the protocol.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginOf is what WithOrigin set, or the zero Origin.
func OriginOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}
