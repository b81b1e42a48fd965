package duck

import (
	"context"
	"math"
	"strconv"

	ddb "github.com/duckdb/duckdb-go-bindings"
)

// maxPrepared is how many statements a connection keeps prepared; the one that was used the longest time ago goes.
const maxPrepared = 64

// kept are a connection's prepared statements, the last used at the end.
type kept struct {
	stmts []*stmt
	// shapes is DB.shapes when they were prepared.
	shapes uint64
}

// Forget makes all connections prepare their statements anew: definitions have changed of which DuckDB does not know that statements depend on them.
func (d *DB) Forget() { d.shapes.Add(1) }

// find takes a statement out of those that are kept; nil if there is none.
func (c *Conn) find(sql string) *stmt {
	if now := c.db.shapes.Load(); c.kept.shapes != now {
		c.forget()
		c.kept.shapes = now
	}
	for i, s := range c.kept.stmts {
		if s.text == sql {
			c.kept.stmts = append(c.kept.stmts[:i], c.kept.stmts[i+1:]...)
			return s
		}
	}
	return nil
}

// keep puts a statement back after its use.
func (c *Conn) keep(s *stmt) {
	if s.shapes != c.db.shapes.Load() {
		s.close()
		return
	}
	if len(c.kept.stmts) == maxPrepared {
		c.kept.stmts[0].close()
		c.kept.stmts = c.kept.stmts[1:]
	}
	c.kept.stmts = append(c.kept.stmts, s)
}

func (c *Conn) forget() {
	for _, s := range c.kept.stmts {
		s.close()
	}
	c.kept.stmts = nil
}

// Repeat runs one statement without parameters and result, and keeps it prepared. It is for the few texts that come with each query.
func (c *Conn) Repeat(ctx context.Context, sql string) error {
	s := c.find(sql)
	if s == nil {
		s = &stmt{sql: sql, text: sql, shapes: c.db.shapes.Load()}
		if ddb.Prepare(c.conn, sql, &s.ps) == ddb.StateError {
			err := parseError(sql, ddb.PrepareError(s.ps), ddb.ErrorTypeInvalid)
			s.close()
			return err
		}
	}
	err := c.guarded(ctx, func() error {
		var r ddb.Result
		defer ddb.DestroyResult(&r)
		if ddb.ExecutePrepared(s.ps, &r) == ddb.StateError {
			return parseError(sql, ddb.ResultError(&r), ddb.ResultErrorType(&r))
		}
		return nil
	})
	if err != nil {
		s.close()
		return err
	}
	c.keep(s)
	return nil
}

// QueryTyped is Query for a text that casts each of its parameters to its type, and that will come again: it stays prepared.
//
// Values go as text. Since that is not the type which DuckDB has found for the parameter, it plans with the values as constants, and so skips what a
// filter leaves out; only parsing is saved. A plan for any value would read all rows: summing up a tenth of a million takes a third longer.
func (c *Conn) QueryTyped(ctx context.Context, sql string, args map[string]any, maxRows int) (*Result, error) {
	return c.query(ctx, sql, args, maxRows, true)
}

// textOf spells a value for a cast from VARCHAR; other values stay what they are.
func textOf(v any) any {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		switch {
		case math.IsInf(v, 1):
			return "inf"
		case math.IsInf(v, -1):
			return "-inf"
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return v
}

// prepareKept is prepare for a statement that may be kept.
func (c *Conn) prepareKept(ctx context.Context, sql string) (*stmt, error) {
	if s := c.find(sql); s != nil {
		return s, nil
	}
	shapes := c.db.shapes.Load()
	s, err := c.prepareForeign(ctx, sql)
	if err == nil {
		s.text, s.shapes = sql, shapes
	}
	return s, err
}
