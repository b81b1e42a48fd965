package duck

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	ddb "github.com/duckdb/duckdb-go-bindings"

	"leat/internal/types"
)

// maxStatements is how many prepared statements, and tables that feed them, an evaluator keeps.
const maxStatements = 512

// Evaluator computes SQL expressions over columns, on a locked-down in-memory database of its own with one thread. Its methods may be
// called from any goroutine; calls run one after the other.
type Evaluator struct {
	mu   sync.Mutex // guards all below
	db   *DB
	conn *Conn
	// statements are prepared texts; tables maps column types to the table function that feeds them.
	statements map[string]*stmt
	tables     map[string]string
	// current are the rows that the table functions give; they are read only while a call of ours runs.
	current arrow.RecordBatch
}

// NewEvaluator opens an evaluator. Close it when done.
func NewEvaluator() (*Evaluator, error) {
	e := &Evaluator{statements: map[string]*stmt{}, tables: map[string]string{}}
	if err := e.open(); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Evaluator) open() error {
	db, err := openEvaluator()
	if err != nil {
		return err
	}
	conn, err := db.Connect()
	if err != nil {
		db.Close()
		return err
	}
	e.db, e.conn = db, conn
	return nil
}

// Close waits for the call under way and frees the database.
func (e *Evaluator) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.close()
}

// openEvaluator is Open, but that equal parts of expressions are not computed once beforehand: they would then be computed, and fail, also
// in rows whose CASE doesn't ask for them.
func openEvaluator() (*DB, error) {
	o := Options{Threads: 1, Readers: 1}.withDefaults()
	d := &DB{opts: o, readers: make(chan *Conn, o.Readers), closing: make(chan struct{})}
	if err := d.open(":memory:"); err != nil {
		return nil, err
	}
	d.dog = startWatchdog(o.MaxRSS, ResidentBytes)
	c, err := d.Connect()
	if err == nil {
		err = c.Exec(context.Background(), "SET GLOBAL disabled_optimizers = 'common_subexpressions'")
		c.Close()
	}
	if err == nil {
		err = d.lockDown()
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (e *Evaluator) close() {
	if e.db == nil {
		return
	}
	for _, s := range e.statements {
		s.close()
	}
	clear(e.statements)
	clear(e.tables)
	e.conn.Close()
	e.db.Close()
	e.db = nil
}

// Evaluate computes exprs over columns c0, c1, ..., which are in, of types inTypes and all rows long. Column i of the answer has type
// out[i], in Go's memory. A row in which expression i fails is NULL there and has its reason in failed[i], nil if there is none.
// Errors are those of expressions that don't bind, and of the database.
func (e *Evaluator) Evaluate(exprs []string, out []types.Type, in []arrow.Array, inTypes []types.Type, rows int) ([]arrow.Array, []map[int]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.db == nil {
		return nil, nil, types.Errorf(types.Unavailable, "the evaluator is closed")
	}
	names := make([]string, len(in))
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i)
	}
	input := Record(names, inTypes, in, rows)
	from, err := e.from(names, inTypes, rows)
	if err != nil {
		return nil, nil, err
	}
	typed := make([]string, len(exprs))
	for i, x := range exprs {
		typed[i] = "CAST(" + x + " AS " + out[i].String() + ")"
	}
	failed := make([]map[int]string, len(exprs))
	cols, err := e.run(input, typed, from)
	if fatal := new(FatalError); errors.As(err, &fatal) {
		e.close()
		if err := e.open(); err != nil {
			return nil, nil, err
		}
	}
	if err == nil || !rowError(err) {
		return cols, failed, err
	}
	cols = make([]arrow.Array, len(exprs))
	for i, x := range typed {
		if cols[i], failed[i], err = e.piecewise(input, x, out[i], from, rows); err != nil {
			return nil, nil, err
		}
		if len(failed[i]) == 0 {
			failed[i] = nil
		}
	}
	return cols, failed, nil
}

// rowError reports whether an error may be that of some rows only.
func rowError(err error) bool {
	for _, c := range []types.Code{types.DataError, types.InvalidArgument, types.Unsupported, types.TypeMismatch, types.LimitExceeded} {
		if types.HasCode(err, c) {
			return true
		}
	}
	return false
}

// piecewise computes one expression, some rows of which fail, over ever smaller pieces until those that fail stand alone, then over
// greater ones again: where few rows fail that is a handful of queries for each, where many do one for each. TRY would be one query, but
// it overwrites memory in this version of DuckDB where its operand has CASE or the like (seen as crashes with 1.5.5).
func (e *Evaluator) piecewise(input arrow.RecordBatch, x string, t types.Type, from string, rows int) (arrow.Array, map[int]string, error) {
	var parts []arrow.Array
	failed := map[int]string{}
	if _, err := e.statement(selection([]string{x}, from)); err != nil {
		// It doesn't even bind, such as a constant that fails where it is folded: no row has a value.
		if !rowError(err) {
			return nil, nil, err
		}
		for row := range rows {
			failed[row] = types.AsError(err).Message
		}
		return array.MakeArrayOfNull(memory.DefaultAllocator, t.Arrow(), rows), failed, nil
	}
	for at, size := 0, max(rows/8, 1); at < rows; {
		piece := input
		if size = min(size, rows-at); input.NumCols() > 0 {
			piece = input.NewSlice(int64(at), int64(at+size))
		}
		cols, err := e.run(piece, []string{x}, from)
		if err != nil && !rowError(err) {
			return nil, nil, err
		}
		if err != nil && size > 1 && input.NumCols() > 0 {
			size = (size + 7) / 8
			continue
		}
		if err != nil {
			for row := at; row < at+size; row++ {
				failed[row] = types.AsError(err).Message
			}
			cols = []arrow.Array{array.MakeArrayOfNull(memory.DefaultAllocator, t.Arrow(), size)}
		}
		parts = append(parts, cols[0])
		at += size
		if err == nil && len(failed) > 0 && failed[at-1] == "" {
			size *= 4
		}
	}
	a, err := array.Concatenate(parts, memory.DefaultAllocator)
	if err != nil {
		return nil, nil, types.Errorf(types.Internal, "joining DuckDB's results: %w", err)
	}
	return a, failed, nil
}

// from returns the table that has columns of the given types.
func (e *Evaluator) from(names []string, ts []types.Type, rows int) (string, error) {
	if len(ts) == 0 {
		return fmt.Sprintf("range(%d)", rows), nil
	}
	var key strings.Builder
	columns := make([]types.Column, len(ts))
	casts := make([]string, len(ts))
	for i, t := range ts {
		columns[i] = types.Column{ID: int32(i + 1), Name: names[i], Type: imported(t)}
		casts[i] = "CAST(" + names[i] + " AS " + t.String() + ") AS " + names[i]
		key.WriteString(t.String() + ";")
	}
	if from, ok := e.tables[key.String()]; ok {
		return from, nil
	}
	if len(e.tables) >= maxStatements {
		// A table function can't be dropped: begin with a new database.
		e.close()
		if err := e.open(); err != nil {
			return "", err
		}
	}
	name := fmt.Sprintf("input_%d", len(e.tables))
	if err := e.db.DefineTable(name, columns, func() (arrow.RecordBatch, error) {
		e.current.Retain()
		return e.current, nil
	}); err != nil {
		return "", err
	}
	from := "(SELECT " + strings.Join(casts, ", ") + " FROM " + name + "())"
	e.tables[key.String()] = from
	return from, nil
}

// imported is the type as which DuckDB reads t's Arrow data: HUGEINT comes as DECIMAL(38,0), and is cast back.
func imported(t types.Type) types.Type {
	switch t.Kind {
	case types.HugeInt:
		return types.DecimalOf(38, 0)
	case types.List:
		return types.ListOf(imported(*t.Elem))
	case types.Map:
		return types.MapOf(imported(*t.Key), imported(*t.Elem))
	case types.Struct:
		fields := make([]types.Field, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = types.Field{Name: f.Name, Key: f.Key, Type: imported(f.Type)}
		}
		return types.StructOf(fields...)
	}
	return t
}

// run computes expressions over the rows of input.
func (e *Evaluator) run(input arrow.RecordBatch, exprs []string, from string) ([]arrow.Array, error) {
	e.current = input
	defer func() { e.current = nil }()
	s, err := e.statement(selection(exprs, from))
	if err != nil {
		return nil, err
	}
	r := &Result{conn: e.conn, stmt: s, ctx: context.Background(), left: math.MaxInt, unwatch: func() {}}
	defer func() {
		r.stmt = nil // stays prepared
		r.Close()
	}()
	if err := r.execute(); err != nil {
		return nil, err
	}
	return r.all(len(exprs))
}

func selection(exprs []string, from string) string {
	return "SELECT " + strings.Join(exprs, ", ") + " FROM " + from
}

func (e *Evaluator) statement(sql string) (*stmt, error) {
	if s, ok := e.statements[sql]; ok {
		return s, nil
	}
	if len(e.statements) >= maxStatements {
		for _, s := range e.statements {
			s.close()
		}
		clear(e.statements)
	}
	s, err := e.conn.prepare(context.Background(), sql)
	if err != nil {
		return nil, err
	}
	e.statements[sql] = s
	return s, nil
}

// execute runs the prepared statement again.
func (r *Result) execute() error {
	var pending ddb.PendingResult
	defer ddb.DestroyPending(&pending)
	if ddb.PendingPreparedStreaming(r.stmt.ps, &pending) == ddb.StateError {
		return parseError(r.stmt.sql, ddb.PendingError(pending), ddb.ErrorTypeInvalid)
	}
	if ddb.ExecutePending(pending, &r.res) == ddb.StateError {
		return parseError(r.stmt.sql, ddb.ResultError(&r.res), ddb.ResultErrorType(&r.res))
	}
	return r.describe()
}

// all reads the whole result into Go's memory, one array a column.
func (r *Result) all(columns int) ([]arrow.Array, error) {
	parts := make([][]arrow.Array, columns)
	for {
		rec, err := r.Next(r.ctx)
		if err != nil {
			return nil, err
		}
		if rec == nil {
			break
		}
		for i := range parts {
			// A copy: the record's memory is DuckDB's, until the next.
			a, err := array.Concatenate([]arrow.Array{rec.Column(i)}, memory.DefaultAllocator)
			if err != nil {
				return nil, types.Errorf(types.Internal, "copying DuckDB's result: %w", err)
			}
			parts[i] = append(parts[i], a)
		}
	}
	out := make([]arrow.Array, columns)
	for i, p := range parts {
		if len(p) == 1 {
			out[i] = p[0]
			continue
		}
		a, err := array.Concatenate(p, memory.DefaultAllocator)
		if err != nil {
			return nil, types.Errorf(types.Internal, "joining DuckDB's results: %w", err)
		}
		out[i] = a
	}
	return out, nil
}
