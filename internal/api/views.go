package api

import (
	"bytes"
	"context"
	"net/url"
	"time"

	"leat/internal/auth"
	"leat/internal/types"
)

// Lookup asks for rows of a materialized view by its key.
type Lookup struct {
	Principal auth.Principal
	View      string
	// Key is the value of a key of one column. Where it is nil, Columns has the values of key columns by name, "" under <name>.null for NULL.
	Key     *string
	Columns map[string]string
	// Limit is the most rows, 0 the server's default; Cursor is Found.Cursor of the page before.
	Limit  int
	Cursor string
	After  types.Position
}

// Found is the answer to a Lookup.
type Found struct {
	Outcome
	// One says that the whole key was given: there is one row at most.
	One bool
	// Watermark is the view's in µs, or types.NoWatermark.
	Watermark int64
	// Cursor is where the next page begins, "" after the last one.
	Cursor string
}

// maxPage is the greatest _limit of a page of rows.
const maxPage = 100_000

// getViewRow answers with the row of a key of one column, as one JSON object.
func (s *server) getViewRow(c *call) error {
	key := c.r.PathValue("key")
	return c.lookup(Lookup{Key: &key}, "ndjson")
}

// getViewRows answers with the row of a whole key as one JSON object, or with the rows of a key's first columns as a result.
func (s *server) getViewRows(c *call) error {
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
	ctx, cancel, err := c.deadline("", c.s.Limits.QueryTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	l.Principal, l.View, l.After = c.principal, c.r.PathValue("view"), o.after
	found, err := c.s.Queries.Lookup(ctx, l)
	if err != nil {
		return err
	}
	h := c.w.Header()
	if found.Watermark != types.NoWatermark {
		h.Set("Leat-Watermark", time.UnixMicro(found.Watermark).UTC().Format("2006-01-02T15:04:05.000000Z"))
	}
	if found.One {
		return c.object(ctx, found.Outcome, o, func() error {
			return types.Errorf(types.NotFound, "view %.80q has no row with that key", l.View)
		})
	}
	if found.Cursor != "" {
		h.Set("Leat-Cursor", found.Cursor)
		h.Set("Link", "<"+c.nextPage(found.Cursor)+`>; rel="next"`)
	}
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
	var buffer bytes.Buffer
	o.format.Name = "ndjson"
	if err := c.s.Encoder.Encode(ctx, &buffer, o.format, out.Rows, o.encode); err != nil {
		return err
	}
	c.position(out.Position)
	if buffer.Len() == 0 {
		return none()
	}
	c.w.Header().Set("Content-Type", "application/json")
	_, err := c.w.Write(buffer.Bytes())
	return err
}
