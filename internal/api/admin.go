package api

import (
	"context"
	"net/http"
	"net/http/pprof"
	"strings"

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
	var spec auth.TokenSpec
	if err := c.readJSON(&spec); err != nil {
		return err
	}
	token, info, err := s.Tokens.CreateToken(c.r.Context(), spec)
	c.audit("create token", info.ID, strings.Join(spec.Scopes, " "), err)
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
	id := c.r.PathValue("id")
	err := s.Tokens.Revoke(c.r.Context(), id)
	c.audit("revoke token", id, "", err)
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) listIssuers(c *call) error {
	return c.json(200, map[string]any{"issuers": s.Tokens.Issuers()})
}

func (s *server) createIssuer(c *call) error {
	var spec auth.IssuerSpec
	if err := c.readJSON(&spec); err != nil {
		return err
	}
	info, err := s.Tokens.CreateIssuer(c.r.Context(), spec)
	c.audit("create issuer", spec.Name, spec.Algorithm+" "+strings.Join(spec.Scopes, " "), err)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", "/v1/issuers/"+info.Name)
	return c.json(http.StatusCreated, info)
}

func (s *server) deleteIssuer(c *call) error {
	name := c.r.PathValue("name")
	err := s.Tokens.DeleteIssuer(c.r.Context(), name)
	c.audit("delete issuer", name, "", err)
	if err != nil {
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
