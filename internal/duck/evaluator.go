package duck

import (
	"context"
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

const (
	// maxStatements is how many prepared statements, and tables that feed them, an evaluator keeps.
	maxStatements = 512
	// maxReasons is how many failing rows of one call get DuckDB's own words (one small query each); the rest a general reason.
	maxReasons = 100
)

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
	db, err := openEvaluator()
	if err != nil {
		return nil, err
	}
	conn, err := db.Connect()
	if err != nil {
		db.Close()
		return nil, err
	}
	return &Evaluator{db: db, conn: conn, statements: map[string]*stmt{}, tables: map[string]string{}}, nil
}

// openEvaluator is Open, but that equal parts of expressions are not computed once beforehand: DuckDB takes them out of TRY, and then
// they fail the query.
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

// Close waits for the call under way and frees the database.
func (e *Evaluator) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget()
	e.conn.Close()
	e.db.Close()
}

func (e *Evaluator) forget() {
	for _, s := range e.statements {
		s.close()
	}
	clear(e.statements)
	clear(e.tables)
}

// Evaluate computes exprs over columns c0, c1, ..., which are in, of types inTypes and all rows long. Column i of the answer has type
// out[i], in Go's memory. A row in which expression i fails is NULL there and has its reason in failed[i], nil if there is none.
// Errors are those of expressions that don't bind, and of the database.
func (e *Evaluator) Evaluate(exprs []string, out []types.Type, in []arrow.Array, inTypes []types.Type, rows int) ([]arrow.Array, []map[int]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
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
	// Failures are rare, and TRY costs: first without.
	cols, err := e.run(input, typed, from, rows)
	if err == nil || !rowError(err) {
		return cols, failed, err
	}
	cols = make([]arrow.Array, len(exprs))
	left := maxReasons
	for i, x := range typed {
		if cols[i], failed[i], err = e.try(input, x, from, rows, &left); err != nil {
			return nil, nil, err
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

// try computes one expression, some rows of which fail. TRY makes them NULL; TRY(x IS NULL) is NULL for them alone.
func (e *Evaluator) try(input arrow.RecordBatch, x, from string, rows int, left *int) (arrow.Array, map[int]string, error) {
	cols, err := e.run(input, []string{"TRY(" + x + ")", "TRY((" + x + ") IS NULL)"}, from, rows)
	if err != nil && rowError(err) {
		return e.bisect(input, x, from, rows)
	}
	if err != nil {
		return nil, nil, err
	}
	var failed map[int]string
	for row := range rows {
		if !cols[1].IsNull(row) {
			continue
		}
		if failed == nil {
			failed = map[int]string{}
		}
		failed[row] = "the expression has no value for this row"
		if *left--; *left < 0 {
			continue
		}
		single := input.NewSlice(int64(row), int64(row)+1)
		if len(input.Columns()) == 0 {
			single = input
		}
		if _, err := e.run(single, []string{x}, from, rows); err != nil {
			failed[row] = types.AsError(err).Message
		}
	}
	return cols[0], failed, nil
}

// bisect computes an expression that TRY refuses (error() is volatile), halving the rows until those that fail stand alone.
func (e *Evaluator) bisect(input arrow.RecordBatch, x, from string, rows int) (arrow.Array, map[int]string, error) {
	var parts []arrow.Array
	failed := map[int]string{}
	var part func(lo, hi int) error
	part = func(lo, hi int) error {
		piece := input
		if input.NumCols() > 0 {
			piece = input.NewSlice(int64(lo), int64(hi))
		}
		cols, err := e.run(piece, []string{x}, from, rows)
		switch {
		case err != nil && !rowError(err):
			return err
		case err == nil:
			parts = append(parts, cols[0])
			return nil
		case hi-lo > 1 && input.NumCols() > 0:
			mid := (lo + hi) / 2
			if err := part(lo, mid); err != nil {
				return err
			}
			return part(mid, hi)
		}
		for row := lo; row < hi; row++ {
			failed[row] = types.AsError(err).Message
		}
		cols, err = e.run(piece, []string{"CASE WHEN false THEN " + x + " END"}, from, rows)
		if err == nil {
			parts = append(parts, cols[0])
		}
		return err
	}
	if err := part(0, rows); err != nil {
		return nil, nil, err
	}
	a, err := array.Concatenate(parts, memory.DefaultAllocator)
	return a, failed, err
}

// from returns the table that has columns of the given types.
func (e *Evaluator) from(names []string, ts []types.Type, rows int) (string, error) {
	if len(ts) == 0 {
		return fmt.Sprintf("range(%d)", rows), nil
	}
	var key strings.Builder
	columns := make([]types.Column, len(ts))
	for i, t := range ts {
		columns[i] = types.Column{ID: int32(i + 1), Name: names[i], Type: t}
		key.WriteString(t.String() + ";")
	}
	if name, ok := e.tables[key.String()]; ok {
		return name, nil
	}
	if len(e.tables) >= maxStatements {
		e.forget()
	}
	name := fmt.Sprintf("input_%d", len(e.tables))
	if err := e.db.DefineTable(name, columns, func() (arrow.RecordBatch, error) {
		e.current.Retain()
		return e.current, nil
	}); err != nil {
		return "", err
	}
	e.tables[key.String()] = name + "()"
	return name + "()", nil
}

// run computes expressions over the rows of input.
func (e *Evaluator) run(input arrow.RecordBatch, exprs []string, from string, rows int) ([]arrow.Array, error) {
	e.current = input
	defer func() { e.current = nil }()
	s, err := e.statement("SELECT " + strings.Join(exprs, ", ") + " FROM " + from)
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
