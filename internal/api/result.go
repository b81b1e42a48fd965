package api

import (
	"context"
	"net/http"

	"leat/internal/codec/encode"
)

// maxRows is the greatest _limit; the store has its own, lower one.
const maxRows = 10_000_000

// resultOptions are what a client asks for about a result.
type resultOptions struct {
	format Format
	encode EncodeOptions
	coding encode.Coding
	Freshness
	limit int
	// name is what a file of the result is called, without the extension.
	name string
}

// resultOptions reads parameters and headers before anything runs, so that a bad format costs no query.
// A name of "" is the parameter format.
func (c *call) resultOptions(format string) (resultOptions, error) {
	if format == "" {
		format = c.query.Get(formatParam.name)
	}
	o := resultOptions{encode: EncodeOptions{Int64AsString: c.query.Get(int64Param.name) == "string", Start: c.w.start}, name: "result"}
	var err error
	if o.format, err = c.s.Encoder.Negotiate(format, c.r.Header.Get("Accept")); err != nil {
		return o, err
	}
	if o.format.Name != "parquet" { // whose pages are compressed
		o.coding = encode.NegotiateCoding(c.r.Header.Get("Accept-Encoding"))
	}
	if o.Freshness, err = c.freshness(); err != nil {
		return o, err
	}
	o.limit, err = c.int(limitParam.name, maxRows)
	o.limit = c.capRows(o.limit)
	return o, err
}

// resultHeaders set what the form of a result says of itself. Browsers save the forms that are files to them.
func (c *call) resultHeaders(o resultOptions) {
	h := c.w.Header()
	c.set("Content-Type", o.format.ContentType)
	if vary := h["Vary"]; vary == nil {
		c.set("Vary", "Accept, Accept-Encoding")
	} else {
		h["Vary"] = append(vary, "Accept, Accept-Encoding")
	}
	switch o.format.Name {
	case "csv", "tsv", "parquet", "arrow":
		c.set("Content-Disposition", `attachment; filename="`+o.name+"."+o.format.Extension+`"`)
	}
}

// answer writes what a script returned. It closes the rows. An error after the buffer was first flushed cuts the connection.
func (c *call) answer(ctx context.Context, out Outcome, o resultOptions) error {
	c.seen(out.Seen)
	if out.Rows == nil {
		statements := out.Statements
		if statements == nil {
			statements = []Done{}
		}
		return c.json(200, map[string]any{"statements": statements})
	}
	return c.writeRows(ctx, out.Rows, o, resultBuffer, nil)
}

// writeRows writes a result and closes it. hold and kept are bodyWriter's.
func (c *call) writeRows(ctx context.Context, rows Rows, o resultOptions, hold int, kept func(body []byte, coding encode.Coding)) (err error) {
	closed := false
	closeRows := func() {
		if closed {
			return
		}
		closed = true
		if e := rows.Close(); err == nil {
			err = e
		}
	}
	defer closeRows()
	c.resultHeaders(o)
	if c.r.Method == http.MethodHead {
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	body := c.newBody(o.coding, hold)
	defer body.release()
	if err := c.s.Encoder.Encode(ctx, body, o.format, rows, o.encode); err != nil {
		c.resetForms()
		return err
	}
	if closeRows(); err != nil {
		c.resetForms()
		return err
	}
	return body.finish(kept)
}

// resetForms takes back what was said of a result that failed before it began.
func (c *call) resetForms() {
	h := c.w.Header()
	for _, name := range []string{"Content-Disposition", "Etag", "Content-Encoding", "Leat-Cursor", "Link"} {
		h.Del(name)
	}
	set(h, "Cache-Control", "no-store")
}
