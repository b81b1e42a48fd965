package api

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

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

// readableEndpoints leaves out what the principal may not read, parameters that its credential fixes, and statements where the principal sees some
// rows only: they may name values of others. It is never nil.
func (s *server) readableEndpoints(c *call) ([]Endpoint, error) {
	all, err := s.Catalog.Endpoints(c.r.Context())
	if err != nil {
		return nil, err
	}
	out := make([]Endpoint, 0, len(all))
	for _, e := range all {
		if c.principal.May(auth.Read, e.Name) {
			e.Params = slices.DeleteFunc(append([]Param{}, e.Params...), func(p Param) bool { _, fixed := c.principal.Params[p.Name]; return fixed })
			if c.principal.Filtered() || len(c.principal.Params) > 0 {
				e.Statement = ""
			}
			out = append(out, e)
		}
	}
	return out, nil
}

func (s *server) getEndpoint(c *call) error {
	return c.callEndpoint(c.urlArgs())
}

// postEndpoint takes the arguments as a JSON object or as a form.
func (s *server) postEndpoint(c *call) error {
	args := c.urlArgs()
	body, err := c.bodyArgs()
	if err != nil {
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

// bodyArgs are the arguments in the body. curl -d says form, whatever it sends: what begins with { is JSON.
func (c *call) bodyArgs() (map[string]any, error) {
	t, err := c.mediaType()
	if err != nil {
		return nil, err
	}
	b, err := c.readBody()
	if err != nil {
		return nil, err
	}
	text := bytes.TrimSpace(b)
	switch {
	case len(text) == 0:
		return nil, nil
	case t == "application/x-www-form-urlencoded" && text[0] != '{':
		return formArgs(string(text))
	case t != "" && t != "application/json" && t != "application/x-www-form-urlencoded" && !strings.HasSuffix(t, "+json"):
		return nil, types.Errorf(types.UnsupportedMedia, "content type %.100q is neither JSON nor a form", t).WithHint("send Content-Type: application/json")
	}
	var args map[string]any
	return args, decodeJSON(b, &args)
}

func formArgs(text string) (map[string]any, error) {
	form, err := url.ParseQuery(text)
	if err != nil {
		return nil, types.Errorf(types.InvalidArgument, "the body is no form: %w", err)
	}
	args := make(map[string]any, len(form))
	for name, values := range form {
		if len(values) > 1 {
			return nil, badParam(name, "is given %d times", len(values))
		}
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return nil, badParam(name, "is not valid UTF-8")
		}
		args[name] = values[0]
	}
	return args, nil
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
	if c.overloaded != nil && c.query.Has(whyParam.name) {
		return c.overloaded
	}
	if done, err := c.why(WhyRequest{Endpoint: c.r.PathValue("endpoint"), Args: args}); done {
		return err
	}
	o, err := c.resultOptions("")
	if err != nil {
		return err
	}
	return c.readEndpoint(c.r.PathValue("endpoint"), args, o)
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
