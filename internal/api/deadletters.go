package api

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"leat/internal/types"
)

// Bounds of a page of dead letters and of the ids in one request.
const (
	deadLetterPage    = 100
	maxDeadLetterPage = 1000
	maxDeadLetterIDs  = 1000
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
	f := DeadLetterFilter{Reason: types.Code(c.query.Get("reason")), After: c.query.Get("_cursor")}
	list, err := s.DeadLetters.List(c.r.Context(), c.principal, c.r.PathValue("stream"), f, limit)
	if err != nil {
		return err
	}
	page := struct {
		DeadLetters []deadLetterJSON `json:"dead_letters"`
		NextCursor  string           `json:"next_cursor,omitempty"`
	}{DeadLetters: make([]deadLetterJSON, len(list))}
	for i, d := range list {
		page.DeadLetters[i] = deadLetterOf(d)
	}
	if len(list) == limit {
		page.NextCursor = list[limit-1].ID
	}
	return c.json(200, page)
}

func (s *server) getDeadLetter(c *call) error {
	d, err := s.DeadLetters.Get(c.r.Context(), c.principal, c.r.PathValue("stream"), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	return c.json(200, deadLetterOf(d))
}

// selection is the body of replay and purge: {"all": true}, or a filter. Replay also takes one mended record.
type selection struct {
	DeadLetterFilter
	All    bool            `json:"all"`
	Record json.RawMessage `json:"record"`
	CSV    string          `json:"csv"`
}

// selection refuses what picks nothing or both all and some, so that a slip purges nothing.
func (c *call) selection() (selection, error) {
	var sel selection
	if err := c.readJSON(&sel); err != nil {
		return sel, err
	}
	f := sel.DeadLetterFilter
	some := len(f.IDs) > 0 || f.Reason != "" || !f.Since.IsZero() || !f.Before.IsZero()
	switch {
	case sel.All == some:
		return sel, types.Errorf(types.InvalidArgument, "say which dead letters").
			WithHint(`send {"all": true}, {"ids": [...]}, or some of reason, since and before`)
	case len(f.IDs) > maxDeadLetterIDs:
		return sel, types.Errorf(types.LimitExceeded, "%d ids; a request may have %d", len(f.IDs), maxDeadLetterIDs)
	}
	return sel, nil
}

func (s *server) replayDeadLetters(c *call) error {
	sel, err := c.selection()
	if err != nil {
		return err
	}
	r := Replay{Filter: sel.DeadLetterFilter, Raw: sel.Record}
	switch {
	case sel.CSV != "" && sel.Record != nil:
		return types.Errorf(types.InvalidArgument, "a mended record is either record or csv")
	case sel.CSV != "":
		r.Raw, r.CSV = []byte(sel.CSV), true
	}
	if r.Raw != nil && len(r.Filter.IDs) != 1 {
		return types.Errorf(types.InvalidArgument, "a mended record replaces one dead letter").WithHint("give exactly one of ids")
	}
	done, err := s.DeadLetters.Replay(c.r.Context(), c.principal, c.r.PathValue("stream"), r)
	if err != nil {
		return err
	}
	c.position(done.Position)
	return c.json(200, struct {
		Replayed    int64       `json:"replayed"`
		Failed      int64       `json:"failed"`
		Rows        int64       `json:"rows"`
		FirstErrors []faultJSON `json:"first_errors"`
		Position    string      `json:"position"`
	}{done.Replayed, done.Failed, done.Rows, faults(done.FirstErrors), done.Position.Token()})
}

func (s *server) purgeDeadLetters(c *call) error {
	sel, err := c.selection()
	if err != nil {
		return err
	}
	if sel.Record != nil || sel.CSV != "" {
		return types.Errorf(types.InvalidArgument, "a purge takes no record")
	}
	n, err := s.DeadLetters.Purge(c.r.Context(), c.principal, c.r.PathValue("stream"), sel.DeadLetterFilter)
	if err != nil {
		return err
	}
	return c.json(200, map[string]int64{"purged": n})
}
