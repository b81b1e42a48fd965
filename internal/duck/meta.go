package duck

import (
	"context"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	ddb "github.com/duckdb/duckdb-go-bindings"

	"leat/internal/types"
)

const (
	// metaSchema is where the relations and macros of a Meta are.
	metaSchema = "leat_system"
	// metaMemory bounds what the queries of a Meta take together; a query beyond it is types.OutOfMemory.
	metaMemory = 256 << 20
	// metaReaders is how many of them run at once; further ones wait until their time is over.
	metaReaders = 4
)

// Meta is an in-memory database for questions about the catalog of definitions, apart from the store: no file, no network, nothing of the
// users' data. Its methods may be called from any goroutine.
type Meta struct{ db *DB }

// NewMeta opens a Meta. Close it when done.
func NewMeta() (*Meta, error) {
	db, err := Open("", Options{Threads: 1, MemoryLimit: metaMemory, Readers: metaReaders, Schema: metaSchema})
	if err != nil {
		return nil, err
	}
	return &Meta{db}, nil
}

// Close waits for queries under way and frees the database.
func (m *Meta) Close() { m.db.Close() }

// Define registers the table function name(): rows is called with the pin of the query that reads it, from DuckDB's threads, and returns a
// record of all columns, which nobody changes after.
func (m *Meta) Define(name string, columns []types.Column, rows func(pin any) (arrow.RecordBatch, error)) error {
	return m.db.DefineSource(name, columns, func(pin any, columns []int) (TableRows, error) {
		rec, err := rows(pin)
		if err != nil {
			return nil, err
		}
		return &oneRecord{rec: pick(rec, columns)}, nil
	})
}

// Exec runs statements that define views, macros, types and tables.
func (m *Meta) Exec(ctx context.Context, sql string) error {
	c, err := m.db.Reader(ctx)
	if err != nil {
		return err
	}
	defer m.db.Release(c)
	return c.Exec(ctx, sql)
}

// maxMetaParam bounds the numbers of parameters, since Describe answers with all up to the greatest.
const maxMetaParam = 65_535

// Describe prepares one SELECT. params are the types of $1, $2, ..., empty where DuckDB knows none; columns are the result's. Types are
// DuckDB's names, or the names of types made with CREATE TYPE; lists end with [].
func (m *Meta) Describe(ctx context.Context, sql string) (params, names, columns []string, err error) {
	c, err := m.db.Reader(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	defer m.db.Release(c)
	s, err := c.prepare(ctx, sql)
	if err != nil {
		return nil, nil, nil, err
	}
	defer s.close()
	for i := ddb.IdxT(1); i <= ddb.NParams(s.ps); i++ {
		n, err := strconv.Atoi(ddb.ParameterName(s.ps, i))
		if err != nil || n < 1 || n > maxMetaParam {
			return nil, nil, nil, types.Errorf(types.Unsupported, "parameter $%.40s: parameters here are numbers up to %d", ddb.ParameterName(s.ps, i), maxMetaParam)
		}
		for len(params) < n {
			params = append(params, "")
		}
		params[n-1] = metaType(ddb.ParamLogicalType(s.ps, i))
	}
	for i := range ddb.PreparedStatementColumnCount(s.ps) {
		names = append(names, ddb.PreparedStatementColumnName(s.ps, i))
		columns = append(columns, metaType(ddb.PreparedStatementColumnLogicalType(s.ps, i)))
	}
	return params, names, columns, nil
}

// metaType names a type and destroys it; empty is one that is not known yet.
func metaType(lt ddb.LogicalType) string {
	if lt.Ptr == nil {
		return ""
	}
	defer ddb.DestroyLogicalType(&lt)
	if alias := ddb.LogicalTypeGetAlias(lt); alias != "" {
		return alias
	}
	if ddb.GetTypeId(lt) == ddb.TypeList {
		return metaType(ddb.ListTypeChildType(lt)) + "[]"
	}
	if t, ok := typeOf(lt); ok {
		return t.Kind.String()
	}
	return ""
}

// Query runs one SELECT to its end or to maxRows rows and hands its records to each, which keeps nothing of them. pin is what the functions
// of Define get. truncated says that there were more rows.
func (m *Meta) Query(ctx context.Context, pin any, sql string, args map[string]any, maxRows int, each func(arrow.RecordBatch) error) (truncated bool, err error) {
	c, err := m.db.Reader(ctx)
	if err != nil {
		return false, err
	}
	defer m.db.Release(c)
	c.SetPin(pin)
	defer c.SetPin(nil)
	r, err := c.Query(ctx, sql, args, maxRows)
	if err != nil {
		return false, err
	}
	defer r.Close()
	for {
		rec, err := r.Next(ctx)
		if err != nil || rec == nil {
			return r.Truncated(), err
		}
		if err := each(rec); err != nil {
			return false, err
		}
	}
}
