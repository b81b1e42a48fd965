package api

import (
	"bufio"
	"context"

	"leat/internal/types"
)

// resultBuffer is how much of a result is held back: an error before it is full is still answered as a problem.
const resultBuffer = 64 << 10

// maxRows is the greatest _limit; the store has its own, lower one.
const maxRows = 10_000_000

// resultOptions are what a client asks for about a result.
type resultOptions struct {
	format Format
	encode EncodeOptions
	after  types.Position
	limit  int
}

// resultOptions reads parameters and headers before anything runs, so that a bad format costs no query.
// A name of "" is the parameter format.
func (c *call) resultOptions(format string) (resultOptions, error) {
	if format == "" {
		format = c.query.Get(formatParam.name)
	}
	o := resultOptions{encode: EncodeOptions{Int64AsString: c.query.Get(int64Param.name) == "string", Start: c.w.start}}
	var err error
	if o.format, err = c.s.Encoder.Negotiate(format, c.r.Header.Get("Accept")); err != nil {
		return o, err
	}
	if o.after, err = c.after(); err != nil {
		return o, err
	}
	o.limit, err = c.int(limitParam.name, maxRows)
	return o, err
}

// answer writes what a script returned. It closes the rows. An error after the buffer was first flushed cuts the connection.
func (c *call) answer(ctx context.Context, out Outcome, o resultOptions) (err error) {
	c.position(out.Position)
	if out.Rows == nil {
		statements := out.Statements
		if statements == nil {
			statements = []Done{}
		}
		return c.json(200, map[string]any{"statements": statements})
	}
	defer func() {
		if closed := out.Rows.Close(); err == nil && closed != nil {
			err = closed
		}
	}()
	c.w.Header().Set("Content-Type", o.format.ContentType)
	c.w.Header().Set("Vary", "Accept")
	buffered := bufio.NewWriterSize(c.w, resultBuffer)
	if err := c.s.Encoder.Encode(ctx, buffered, o.format, out.Rows, o.encode); err != nil {
		return err
	}
	return buffered.Flush()
}
