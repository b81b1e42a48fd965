package api

import "net/http"

func (s *server) healthz(c *call) error { return c.health("alive", s.Alive) }
func (s *server) readyz(c *call) error  { return c.health("ready", s.Ready) }

// health answers 200 or 503 with the checks.
func (c *call) health(name string, run func() (bool, any)) error {
	ok, checks := run()
	status := http.StatusOK
	if !ok {
		status = http.StatusServiceUnavailable
		c.w.Header().Set("Retry-After", "1")
	}
	return c.json(status, map[string]any{name: ok, "checks": checks})
}
