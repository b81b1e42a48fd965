package api

import (
	"slices"

	"leat/internal/auth"
	"leat/internal/types"
)

func (s *server) listEndpoints(c *call) error {
	list, err := s.readableEndpoints(c)
	if err != nil {
		return err
	}
	return c.json(200, map[string]any{"endpoints": list})
}

// readableEndpoints leaves out what the principal may not read; it is never nil.
func (s *server) readableEndpoints(c *call) ([]Endpoint, error) {
	all, err := s.Catalog.Endpoints(c.r.Context())
	if err != nil {
		return nil, err
	}
	out := make([]Endpoint, 0, len(all))
	for _, e := range all {
		if c.principal.May(auth.Read, e.Name) {
			e.Params = append([]Param{}, e.Params...)
			out = append(out, e)
		}
	}
	return out, nil
}

func (s *server) getEndpoint(c *call) error {
	return c.callEndpoint(c.urlArgs())
}

func (s *server) postEndpoint(c *call) error {
	args := c.urlArgs()
	var body map[string]any
	if err := c.readJSON(&body); err != nil {
		return err
	}
	for name, v := range body {
		if _, twice := args[name]; twice {
			return badParam(name, "is in the URL and in the body")
		}
		args[name] = v
	}
	return c.callEndpoint(args)
}

// urlArgs are the parameters that are not the system's.
func (c *call) urlArgs() map[string]any {
	args := map[string]any{}
	for name, values := range c.query {
		if !c.route.hasParam(name) {
			args[name] = values[0]
		}
	}
	return args
}

func (c *call) callEndpoint(args map[string]any) error {
	o, err := c.resultOptions("")
	if err != nil {
		return err
	}
	ctx, cancel, err := c.deadline("", c.s.Limits.QueryTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	out, err := c.s.Queries.Endpoint(ctx, EndpointRequest{
		Principal: c.principal, Name: c.r.PathValue("endpoint"), Args: args, After: o.after, Limit: o.limit,
	})
	if err != nil {
		return err
	}
	return c.answer(ctx, out, o)
}

func (s *server) listStreams(c *call) error {
	all, err := s.Catalog.Relations(c.r.Context())
	if err != nil {
		return err
	}
	readable := slices.DeleteFunc(slices.Clone(all), func(r Relation) bool { return !c.principal.May(auth.Read, r.Name) })
	if readable == nil {
		readable = []Relation{}
	}
	return c.json(200, map[string]any{"streams": readable})
}

func (s *server) getStream(c *call) error {
	name := c.r.PathValue("stream")
	r, err := s.Catalog.Relation(c.r.Context(), name)
	if types.HasCode(err, types.UnknownRelation) {
		return types.Errorf(types.NotFound, "no stream, table or view is called %.80q", name)
	}
	if err != nil {
		return err
	}
	return c.json(200, r)
}
