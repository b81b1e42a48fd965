package query

import (
	"context"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/endpoint"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

// CallRequest is a call of an endpoint.
type CallRequest struct {
	Principal auth.Principal
	Name      string
	// Run says how. Its Args are what the caller sent, as endpoint.Bind takes them.
	Run
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
	args, err := endpoint.Bind(o.Endpoint, r.Args, r.Principal.Params)
	if err != nil {
		return nil, err
	}
	st, err := s.Endpoint(ctx, r.Principal, o)
	if err != nil {
		return nil, err
	}
	r.Args = args
	res, err := s.runBound(ctx, st, r.Run)
	if err != nil {
		return nil, inEndpoint(o.Name, err)
	}
	return res, nil
}

// Endpoint prepares the query of an endpoint for a principal, whose right to call it is not asked for.
func (s *Service) Endpoint(ctx context.Context, p auth.Principal, o *catalog.Object) (*Statement, error) {
	key, snapshot := endpointKey{o, filterShape(p)}, s.Catalog()
	if st, ok := s.endpoints.Get(key); ok && st.catalog == snapshot.Version() {
		return st.of(p), nil
	}
	text := Text{Principal: p, SQL: guard.WithCasts(o.Endpoint.Query, endpoint.Casts(o.Endpoint))}
	st, err := s.prepare(ctx, text, o.Name)
	if err != nil {
		return nil, inEndpoint(o.Name, err)
	}
	s.endpoints.Add(key, st)
	return st, nil
}

// endpointKey finds the statement of an endpoint without its text.
type endpointKey struct {
	endpoint *catalog.Object
	filters  string
}

// inEndpoint names the endpoint in an error, and drops the place in a text that the caller never saw.
func inEndpoint(name string, err error) error {
	e := *types.AsError(err)
	e.Message = "endpoint " + name + ": " + e.Message
	e.Line, e.Column = 0, 0
	return &e
}
