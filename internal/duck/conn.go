package duck

import (
	"context"
	"math/big"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	ddb "github.com/duckdb/duckdb-go-bindings"

	"leat/internal/types"
)

// Conn is one connection. It belongs to one goroutine at a time.
type Conn struct {
	conn  ddb.Connection
	arrow ddb.ArrowOptions
	dog   *watchdog
	db    *DB
	id    uint64
	// pin is what sources of DefineSource get when a query of this connection opens them.
	pin any
	// kept are prepared statements.
	kept kept
	// source is the error of a source of DefineSource that made the query of this connection fail.
	source atomic.Pointer[types.Error]
}

// failed is the error of a query: that of the source which it could not read, if that is why, else DuckDB's.
func (c *Conn) failed(sql, text string, kind ddb.ErrorType) error {
	if e := c.source.Swap(nil); e != nil {
		return e
	}
	return parseError(sql, text, kind)
}

// SetPin says what the sources (DefineSource) get that the following queries read.
func (c *Conn) SetPin(pin any) { c.pin = pin }

// Close closes the connection.
func (c *Conn) Close() {
	c.forget()
	c.db.conns.Delete(c.id)
	ddb.DestroyArrowOptions(&c.arrow)
	ddb.Disconnect(&c.conn)
}

// interruptEvery is how often an interrupt is repeated until the call that it aims at returns: one that falls between two
// phases of a query (prepare, execute) is forgotten by DuckDB.
const interruptEvery = 5 * time.Millisecond

// guarded runs f, which calls into DuckDB, interrupting it once ctx ends, and returns why it was interrupted or f's error.
func (c *Conn) guarded(ctx context.Context, f func() error) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	if ctx.Done() == nil {
		return f()
	}
	done := make(chan struct{})
	gone := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(gone)
		tick := time.NewTicker(interruptEvery)
		defer tick.Stop()
		for {
			ddb.Interrupt(c.conn)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	err := f()
	close(done)
	if !stop() {
		<-gone
		if err != nil {
			return contextError(ctx)
		}
	}
	return err
}

// contextError says why a query's context ended: the watchdog, a deadline or the caller.
func contextError(ctx context.Context) error {
	cause := context.Cause(ctx)
	if types.HasCode(cause, types.OutOfMemory) {
		return cause
	}
	if ctx.Err() == context.DeadlineExceeded {
		return types.Errorf(types.Timeout, "the query ran longer than its time limit: %w", cause).
			WithHint("ask for less, or raise the request's timeout")
	}
	return types.Errorf(types.Canceled, "the query was canceled: %w", cause)
}

// Exec runs one or several statements without parameters.
func (c *Conn) Exec(ctx context.Context, sql string) error {
	return c.guarded(ctx, func() error {
		var r ddb.Result
		defer ddb.DestroyResult(&r)
		if ddb.Query(c.conn, sql, &r) == ddb.StateError {
			return parseError(sql, ddb.ResultError(&r), ddb.ResultErrorType(&r))
		}
		return nil
	})
}

// Checkpoint moves the WAL into the file. It reports false, and nothing is changed, while a transaction keeps DuckDB from it.
func (c *Conn) Checkpoint(ctx context.Context) (bool, error) {
	err := c.Exec(ctx, "CHECKPOINT")
	if err != nil && strings.Contains(err.Error(), "Cannot CHECKPOINT") {
		return false, nil
	}
	return err == nil, err
}

// stmt is a prepared SELECT.
type stmt struct {
	ps  ddb.PreparedStatement
	sql string
	// text, of one that is kept, is what finds it again; shapes is DB.shapes as it was before it was prepared.
	text   string
	shapes uint64
}

func (c *Conn) prepare(ctx context.Context, sql string) (*stmt, error) {
	s := &stmt{sql: sql}
	err := c.guarded(ctx, func() error {
		if ddb.Prepare(c.conn, sql, &s.ps) == ddb.StateError {
			return parseError(sql, ddb.PrepareError(s.ps), ddb.ErrorTypeInvalid)
		}
		return nil
	})
	if err == nil {
		if t := ddb.PreparedStatementType(s.ps); t != ddb.StatementTypeSelect {
			err = types.Errorf(types.NotAllowed, "only SELECT may run here").
				WithHint("send other statements to POST /v1/sql on their own")
		}
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stmt) close() { ddb.DestroyPrepare(&s.ps) }

// bind gives every parameter its value from args, by name or by number. One that is kept gets texts.
func (s *stmt) bind(args map[string]any) error {
	for i := ddb.IdxT(1); i <= ddb.NParams(s.ps); i++ {
		name := ddb.ParameterName(s.ps, i)
		v, ok := args[name]
		if !ok {
			e := types.Errorf(types.InvalidArgument, "parameter $%s has no value", name)
			e.Path = name
			return e
		}
		if s.text != "" {
			v = textOf(v)
		}
		if err := s.bindValue(i, v); err != nil {
			err.Path = name
			return err
		}
	}
	return nil
}

func (s *stmt) bindValue(i ddb.IdxT, v any) *types.Error {
	var state ddb.State
	switch v := v.(type) {
	case nil:
		state = ddb.BindNull(s.ps, i)
	case bool:
		state = ddb.BindBoolean(s.ps, i, v)
	case int:
		state = ddb.BindInt64(s.ps, i, int64(v))
	case int32:
		state = ddb.BindInt32(s.ps, i, v)
	case int64:
		state = ddb.BindInt64(s.ps, i, v)
	case uint64:
		state = ddb.BindUInt64(s.ps, i, v)
	case float64:
		state = ddb.BindDouble(s.ps, i, v)
	case string:
		state = ddb.BindVarcharLength(s.ps, i, v, ddb.IdxT(len(v)))
	case []byte:
		state = ddb.BindBlob(s.ps, i, v)
	case time.Time:
		state = ddb.BindTimestampTZ(s.ps, i, ddb.NewTimestamp(v.UnixMicro()))
	case *big.Int:
		h, ok := hugeInt(v)
		if !ok {
			return types.Errorf(types.InvalidArgument, "%s is beyond HUGEINT", v)
		}
		state = ddb.BindHugeInt(s.ps, i, h)
	default:
		return types.Errorf(types.Internal, "BUG: a parameter of Go type %T", v)
	}
	if state == ddb.StateError {
		return types.Errorf(types.InvalidArgument, "the value of parameter %s cannot be used", strconv.FormatUint(uint64(i), 10))
	}
	return nil
}

// hugeInt splits v in two's complement; false if it needs more than 128 bits.
func hugeInt(v *big.Int) (ddb.HugeInt, bool) {
	if low, high := new(big.Int).Lsh(big.NewInt(-1), 127), new(big.Int).Lsh(big.NewInt(1), 127); v.Cmp(low) < 0 || v.Cmp(high) >= 0 {
		return ddb.HugeInt{}, false
	}
	low := new(big.Int).And(v, new(big.Int).SetUint64(1<<64-1)).Uint64()
	return ddb.NewHugeInt(low, new(big.Int).Rsh(v, 64).Int64()), true
}
