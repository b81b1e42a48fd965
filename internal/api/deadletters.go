package api

import (
	"time"
	"unicode/utf8"

	"leat/internal/types"
)

// Bounds of a page of dead letters and of the ids in one request.
const (
	deadLetterPage    = 100
	maxDeadLetterPage = 1000
	maxDeadLetterIDs  = 10_000
)

// deadLetterJSON is a dead letter on the wire: raw as text where it is UTF-8, else as base64.
type deadLetterJSON struct {
	ID        string     `json:"id"`
	At        time.Time  `json:"at"`
	Reason    *faultJSON `json:"reason"`
	Record    int        `json:"record,omitempty"`
	Format    string     `json:"format,omitempty"`
	Truncated bool       `json:"truncated,omitempty"`
	Token     string     `json:"token,omitempty"`
	Raw       *string    `json:"raw,omitempty"`
	RawBase64 []byte     `json:"raw_base64,omitempty"`
}

func deadLetterOf(d DeadLetter) deadLetterJSON {
	out := deadLetterJSON{ID: d.ID, At: d.At.UTC(), Record: d.Record, Format: d.Format, Truncated: d.Truncated, Token: d.Token}
	if d.Reason != nil {
		out.Reason = &faults([]*types.Error{d.Reason})[0]
	}
	if utf8.Valid(d.Raw) {
		text := string(d.Raw)
		out.Raw = &text
	} else {
		out.RawBase64 = d.Raw
	}
	return out
}

func (s *server) listDeadLetters(c *call) error {
	limit, err := c.int(limitParam.name, maxDeadLetterPage)
	if err != nil {
		return err
	}
	if limit == 0 {
		limit = deadLetterPage
	}
	list, next, err := s.DeadLetters.List(c.r.Context(), c.r.PathValue("stream"), c.query.Get("_cursor"), limit)
	if err != nil {
		return err
	}
	out := make([]deadLetterJSON, len(list))
	for i, d := range list {
		out[i] = deadLetterOf(d)
	}
	return c.json(200, struct {
		DeadLetters []deadLetterJSON `json:"dead_letters"`
		NextCursor  string           `json:"next_cursor,omitempty"`
	}{out, next})
}

func (s *server) getDeadLetter(c *call) error {
	d, err := s.DeadLetters.Get(c.r.Context(), c.r.PathValue("stream"), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	return c.json(200, deadLetterOf(d))
}

// selection names dead letters: {"ids": [...]} or {"all": true}.
type selection struct {
	IDs []string `json:"ids"`
	All bool     `json:"all"`
}

// selection returns nil for all. Neither or both is refused, so that a slip purges nothing.
func (c *call) selection() ([]string, error) {
	var sel selection
	if err := c.readJSON(&sel); err != nil {
		return nil, err
	}
	switch {
	case sel.All == (len(sel.IDs) > 0):
		return nil, types.Errorf(types.InvalidArgument, "say which dead letters").WithHint(`send {"ids": [...]} or {"all": true}`)
	case len(sel.IDs) > maxDeadLetterIDs:
		return nil, types.Errorf(types.LimitExceeded, "%d ids; a request may have %d", len(sel.IDs), maxDeadLetterIDs)
	}
	return sel.IDs, nil
}

func (s *server) replayDeadLetters(c *call) error {
	ids, err := c.selection()
	if err != nil {
		return err
	}
	done, err := s.DeadLetters.Replay(c.r.Context(), c.principal, c.r.PathValue("stream"), ids)
	if err != nil {
		return err
	}
	c.position(done.Position)
	return c.json(200, struct {
		Replayed
		FirstErrors []faultJSON `json:"first_errors"`
		Position    string      `json:"position"`
	}{done, faults(done.FirstErrors), done.Position.Token()})
}

func (s *server) purgeDeadLetters(c *call) error {
	ids, err := c.selection()
	if err != nil {
		return err
	}
	n, err := s.DeadLetters.Purge(c.r.Context(), c.r.PathValue("stream"), ids)
	if err != nil {
		return err
	}
	return c.json(200, map[string]int64{"purged": n})
}
