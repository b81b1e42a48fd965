package api

import (
	"context"
	"net/http"
	"net/http/pprof"

	"leat/internal/auth"
)

func (s *server) listTokens(c *call) error {
	list := s.Tokens.List()
	if list == nil {
		list = []auth.Info{}
	}
	return c.json(200, map[string]any{"tokens": list})
}

func (s *server) createToken(c *call) error {
	var body struct {
		Name   string   `json:"name"`
		Scopes []string `json:"scopes"`
	}
	if err := c.readJSON(&body); err != nil {
		return err
	}
	token, info, err := s.Tokens.Create(c.r.Context(), body.Name, body.Scopes)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", "/v1/tokens/"+info.ID)
	return c.json(http.StatusCreated, struct {
		auth.Info
		Token string `json:"token"`
	}{info, token.Reveal()})
}

func (s *server) revokeToken(c *call) error {
	if err := s.Tokens.Revoke(c.r.Context(), c.r.PathValue("id")); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) getStatus(c *call) error { return c.show(s.Status) }
func (s *server) getJobs(c *call) error   { return c.show(s.Jobs) }

func (c *call) show(get func(ctx context.Context) (any, error)) error {
	v, err := get(c.r.Context())
	if err != nil {
		return err
	}
	return c.json(200, v)
}

func (s *server) metrics(c *call) error {
	s.Metrics.ServeHTTP(c.w, c.r)
	return nil
}

func (s *server) pprof(c *call) error {
	switch c.r.PathValue("profile") {
	case "cmdline":
		pprof.Cmdline(c.w, c.r)
	case "profile":
		pprof.Profile(c.w, c.r)
	case "symbol":
		pprof.Symbol(c.w, c.r)
	case "trace":
		pprof.Trace(c.w, c.r)
	default:
		pprof.Index(c.w, c.r)
	}
	return nil
}
