package query

import (
	"context"

	"leat/internal/auth"
	"leat/internal/endpoint"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

// CallRequest is a call of an endpoint.
type CallRequest struct {
	Principal auth.Principal
	Name      string
	// Values are what the caller sent, as endpoint.Bind takes them.
	Values map[string]any
	Limit  int
	After  types.Position
}

// Call runs an endpoint. It reads with its maker's rights, who was allowed to publish it: the caller needs the scope read on
// the endpoint, not on what it reads.
func (s *Service) Call(ctx context.Context, r CallRequest) (*Result, error) {
	o := s.Catalog().ByName(r.Name)
	if o == nil || o.Endpoint == nil {
		return nil, types.Errorf(types.NotFound, "there is no endpoint %.80q", r.Name).WithHint("SHOW ENDPOINTS lists them")
	}
	if !r.Principal.May(auth.Read, o.Name) {
		return nil, denied(o.Name)
	}
	args, err := endpoint.Bind(o.Endpoint, r.Values)
	if err != nil {
		return nil, err
	}
	verdict, err := s.check(ctx, guard.WithCasts(o.Endpoint.Query, endpoint.Casts(o.Endpoint)))
	if err != nil {
		return nil, inEndpoint(o.Name, err)
	}
	res, err := s.run(ctx, verdict, args, r.Limit, r.After)
	if err != nil {
		return nil, inEndpoint(o.Name, err)
	}
	return res, nil
}

// inEndpoint names the endpoint in an error, and drops the place in a text that the caller never saw.
func inEndpoint(name string, err error) error {
	e := *types.AsError(err)
	e.Message = "endpoint " + name + ": " + e.Message
	e.Line, e.Column = 0, 0
	return &e
}
