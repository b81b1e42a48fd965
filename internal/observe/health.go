package observe

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Check is the state of one part of the server.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Reason says why not; "" when OK.
	Reason string `json:"reason,omitempty"`
}

// Level says what a failing check means.
type Level uint8

const (
	// Readiness: do not send requests now, it will pass (starting, catching up, stopping).
	Readiness Level = iota
	// Liveness: only a restart helps (an fsync failed). What is not alive is not ready either.
	Liveness
)

// Health collects named checks. The zero value has none, so it is alive and ready. It may be used from any goroutine.
type Health struct {
	mu     sync.Mutex // guards checks
	checks []healthCheck
}

type healthCheck struct {
	name  string
	level Level
	ok    func() error
}

// Add registers a check under a new name. Ok returns nil, or why the part is not well; it must be quick and not wait.
func (h *Health) Add(name string, level Level, ok func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.ContainsFunc(h.checks, func(c healthCheck) bool { return c.name == name }) {
		panic(fmt.Sprintf("BUG: two health checks are called %q", name))
	}
	h.checks = append(h.checks, healthCheck{name, level, ok})
}

// Alive runs the liveness checks and reports whether all are well.
func (h *Health) Alive() (bool, []Check) { return h.run(Liveness) }

// Ready runs all checks and reports whether all are well.
func (h *Health) Ready() (bool, []Check) { return h.run(Readiness) }

func (h *Health) run(least Level) (bool, []Check) {
	h.mu.Lock()
	checks := slices.Clone(h.checks)
	h.mu.Unlock()
	well, out := true, []Check{}
	for _, c := range checks {
		if c.level < least {
			continue
		}
		result := Check{Name: c.name, OK: true}
		if err := c.ok(); err != nil {
			well, result.OK, result.Reason = false, false, err.Error()
		}
		out = append(out, result)
	}
	slices.SortFunc(out, func(a, b Check) int { return strings.Compare(a.Name, b.Name) })
	return well, out
}

// Gate is a check that is set by hand, such as "starting". It begins closed; the zero value gives no reason but "not ready".
type Gate struct {
	mu     sync.Mutex // guards open and reason
	open   bool
	reason string
}

// Open lets the check pass.
func (g *Gate) Open() { g.set(true, "") }

// Shut makes the check fail for a reason.
func (g *Gate) Shut(reason string) { g.set(false, reason) }

func (g *Gate) set(open bool, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open, g.reason = open, reason
}

// Check is for Health.Add.
func (g *Gate) Check() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.open:
		return nil
	case g.reason == "":
		return fmt.Errorf("not ready")
	}
	return fmt.Errorf("%s", g.reason)
}
