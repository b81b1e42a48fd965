package api

import (
	"context"
	"net/url"

	"leat/internal/auth"
	"leat/internal/types"
)

// Lookup asks for rows of a materialized view, or of a table, by its key or an index.
type Lookup struct {
	Principal auth.Principal
	// View is the name; Table says that it is a table's.
	View  string
	Table bool
	// Key is the value of a key of one column. Where it is nil, Columns has the values of columns by name, "" under <name>.null for NULL.
	Key     *string
	Columns map[string]string
	// Limit is the most rows, 0 the server's default; Cursor is Found.Cursor of the page before.
	Limit  int
	Cursor string
	Freshness
}

// Found is the answer to a Lookup.
type Found struct {
	Outcome
	// One says that the whole key was given: there is one row at most.
	One bool
}

// maxPage is the greatest _limit of a page of rows, maxObject how many bytes a single one may have.
const (
	maxPage   = 100_000
	maxObject = 64 << 20
)

// getViewRow answers with the row of a key of one column, as one JSON object.
func (s *server) getViewRow(c *call) error {
	key := c.r.PathValue("key")
	if done, err := c.why(WhyRequest{View: c.r.PathValue("view"), Key: &key}); done {
		return err
	}
	return c.lookup(Lookup{Key: &key}, "ndjson")
}

// getRows answers with the row of a whole key as one JSON object, or with the rows of the first columns of the key or an index as a result.
func (s *server) getRows(c *call) error {
	if view := c.r.PathValue("view"); view != "" {
		if done, err := c.why(WhyRequest{View: view, Columns: c.columns()}); done {
			return err
		}
	}
	return c.lookup(Lookup{Columns: c.columns(), Cursor: c.query.Get(cursorParam.name)}, "")
}

// columns are the parameters that are no system parameters.
func (c *call) columns() map[string]string {
	out := map[string]string{}
	for name, values := range c.query {
		if !c.route.hasParam(name) {
			out[name] = values[0]
		}
	}
	return out
}

func (c *call) lookup(l Lookup, format string) error {
	o, err := c.resultOptions(format)
	if err != nil {
		return err
	}
	if l.Limit, err = c.int(limitParam.name, maxPage); err != nil {
		return err
	}
	l.Limit = c.capPage(l.Limit)
	ctx, cancel, err := c.deadline("", c.s.Limits.QueryTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	what := "view"
	if l.View = c.r.PathValue(what); l.View == "" {
		what, l.Table = "table", true
		l.View = c.r.PathValue(what)
	}
	l.Principal, l.Freshness, o.name = c.principal, o.Freshness, l.View
	found, err := c.s.Queries.Lookup(ctx, l)
	if err != nil {
		return err
	}
	if found.One {
		return c.object(ctx, found.Outcome, o, func() error {
			return types.Errorf(types.NotFound, "%s %.80q has no row with that key", what, l.View)
		})
	}
	c.next(found.Cursor)
	return c.answer(ctx, found.Outcome, o)
}

// nextPage is the request's own path and query with another cursor.
func (c *call) nextPage(cursor string) string {
	query := url.Values{}
	for name, values := range c.query {
		query[name] = values
	}
	query.Set(cursorParam.name, cursor)
	return c.r.URL.EscapedPath() + "?" + query.Encode()
}

// object answers with the one row of a result as a JSON object, or fails with none's error.
func (c *call) object(ctx context.Context, out Outcome, o resultOptions, none func() error) error {
	if out.Rows == nil {
		return none()
	}
	defer out.Rows.Close() // the result has been read; Close frees what it holds
	o.format.Name = "ndjson"
	body := c.newBody(o.coding, maxObject)
	defer body.release()
	if err := c.s.Encoder.Encode(ctx, body, o.format, out.Rows, o.encode); err != nil {
		return err
	}
	c.seen(out.Seen)
	if body.held.Len() == 0 && !body.begun {
		return none()
	}
	set(c.w.Header(), "Content-Type", "application/json")
	c.w.Header().Add("Vary", "Accept-Encoding")
	return body.finish(nil)
}
