package duck

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	ddb "github.com/duckdb/duckdb-go-bindings"

	"leat/internal/types"
)

// Result is a query being read. It belongs to one goroutine at a time. Its connection is busy until Close.
type Result struct {
	conn      *Conn
	stmt      *stmt
	res       ddb.Result
	ctx       context.Context
	unwatch   func()
	columns   []types.Column
	schema    *arrow.Schema
	current   arrow.RecordBatch
	left      int
	truncated bool
	done      bool
	// failed says that the statement is not to be kept.
	failed bool
}

// Query runs one SELECT and streams its result, at most maxRows of it (no limit if negative). args are the values of parameters by
// name or, as "1", "2", ..., by number: nil, bool, int, int32, int64, uint64, float64, string, []byte,
// time.Time (TIMESTAMPTZ) or *big.Int. ctx governs the whole result, until Close.
func (c *Conn) Query(ctx context.Context, sql string, args map[string]any, maxRows int) (*Result, error) {
	return c.query(ctx, sql, args, maxRows, false)
}

func (c *Conn) query(ctx context.Context, sql string, args map[string]any, maxRows int, keep bool) (*Result, error) {
	if maxRows < 0 {
		maxRows = int(^uint(0) >> 1)
	}
	c.source.Store(nil)
	r := &Result{conn: c, left: maxRows}
	r.ctx, r.unwatch = c.dog.watch(ctx)
	if err := r.start(sql, args, keep); err != nil {
		r.failed = true
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Result) start(sql string, args map[string]any, keep bool) (err error) {
	if keep {
		r.stmt, err = r.conn.prepareKept(r.ctx, sql)
	} else {
		r.stmt, err = r.conn.prepareForeign(r.ctx, sql)
	}
	if err != nil {
		return err
	}
	if err := r.stmt.bind(args); err != nil {
		return err
	}
	var pending ddb.PendingResult
	defer ddb.DestroyPending(&pending)
	err = r.conn.guarded(r.ctx, func() error {
		if ddb.PendingPreparedStreaming(r.stmt.ps, &pending) == ddb.StateError {
			return r.conn.failed(sql, ddb.PendingError(pending), ddb.ErrorTypeInvalid)
		}
		if ddb.ExecutePending(pending, &r.res) == ddb.StateError {
			return r.conn.failed(sql, ddb.ResultError(&r.res), ddb.ResultErrorType(&r.res))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.describe()
}

// prepareForeign prepares sql, and once more with casts to VARCHAR if it has columns of types that no stream can hold.
func (c *Conn) prepareForeign(ctx context.Context, sql string) (*stmt, error) {
	s, err := c.prepare(ctx, sql)
	if err != nil {
		return nil, err
	}
	if ddb.PreparedStatementColumnType(s.ps, 0) == ddb.TypeInvalid {
		// Columns have types only once the parameters have: describe refuses what it must.
		return s, nil
	}
	var casts, inner []string
	foreign := false
	for i := range ddb.PreparedStatementColumnCount(s.ps) {
		lt := ddb.PreparedStatementColumnLogicalType(s.ps, i)
		name, column := types.QuoteIdent(ddb.PreparedStatementColumnName(s.ps, i)), fmt.Sprintf("c%d", i)
		inner = append(inner, column)
		if _, ok := typeOf(lt); ok {
			casts = append(casts, column+" AS "+name)
		} else {
			foreign = true
			casts = append(casts, column+"::VARCHAR AS "+name)
		}
		ddb.DestroyLogicalType(&lt)
	}
	if !foreign {
		return s, nil
	}
	s.close()
	return c.prepare(ctx, "SELECT "+strings.Join(casts, ", ")+" FROM ("+strings.TrimRight(strings.TrimSpace(sql), ";")+"\n) AS t("+strings.Join(inner, ", ")+")")
}

// describe reads names and types once the result is there: parameters have types only then.
func (r *Result) describe() error {
	n := int(ddb.ColumnCount(&r.res))
	logical := make([]ddb.LogicalType, n)
	names := make([]string, n)
	r.columns = make([]types.Column, n)
	for i := range n {
		logical[i] = ddb.ColumnLogicalType(&r.res, ddb.IdxT(i))
		defer ddb.DestroyLogicalType(&logical[i])
		names[i] = ddb.ColumnName(&r.res, ddb.IdxT(i))
		t, ok := typeOf(logical[i])
		if !ok {
			return types.Errorf(types.Unsupported, "column %s has a type that cannot be sent; cast it to VARCHAR", names[i])
		}
		r.columns[i] = types.Column{ID: int32(i + 1), Name: names[i], Type: t}
	}
	var err error
	r.schema, err = r.conn.arrowSchema(logical, names)
	return err
}

// Columns are the result's names and types.
func (r *Result) Columns() []types.Column { return r.columns }

// Truncated says, after the end, whether maxRows cut the result.
func (r *Result) Truncated() bool { return r.truncated }

// Next returns the next rows, or nil at the end. They have the Arrow types of Columns and are valid until the next call.
func (r *Result) Next(ctx context.Context) (arrow.RecordBatch, error) {
	r.release()
	if r.done {
		return nil, nil
	}
	var chunk ddb.DataChunk
	fetch := func() error {
		chunk = ddb.FetchChunk(r.res)
		if chunk.Ptr == nil {
			if text := ddb.ResultError(&r.res); text != "" {
				return r.conn.failed(r.stmt.sql, text, ddb.ResultErrorType(&r.res))
			}
		}
		return nil
	}
	// Either context ends the wait: the query's or this call's.
	err := r.conn.guarded(ctx, func() error { return r.conn.guarded(r.ctx, fetch) })
	defer ddb.DestroyDataChunk(&chunk)
	if err != nil || chunk.Ptr == nil {
		r.done, r.failed = true, err != nil
		return nil, err
	}
	return r.take(chunk)
}

// take exports a chunk, cut to the rows that are left.
func (r *Result) take(chunk ddb.DataChunk) (arrow.RecordBatch, error) {
	rec, err := r.conn.record(r.schema, chunk)
	if err != nil {
		r.done = true
		return nil, err
	}
	if n := int(rec.NumRows()); n > r.left {
		r.done, r.truncated = true, true
		if r.left == 0 {
			rec.Release()
			return nil, nil
		}
		cut := rec.NewSlice(0, int64(r.left))
		rec.Release()
		rec = cut
	}
	r.left -= int(rec.NumRows())
	r.current = conform(rec, r.columns)
	return r.current, nil
}

func (r *Result) release() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

// Close ends the query, interrupting it if it still runs, and frees its memory. The connection may be used again after.
func (r *Result) Close() {
	r.release()
	if r.res != (ddb.Result{}) {
		ddb.DestroyResult(&r.res)
	}
	if r.stmt != nil {
		if r.stmt.text != "" && !r.failed {
			r.conn.keep(r.stmt)
		} else {
			r.stmt.close()
		}
		r.stmt = nil
	}
	r.unwatch()
}
