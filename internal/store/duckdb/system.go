package duckdb

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/duck"
	"leat/internal/types"
)

// system is a table in leat_system whose rows come from the process.
type system struct {
	name    string
	columns []types.Column
	rows    func() ([][]any, error)
}

// DefineSystem makes leat_system.<name>: whenever a query starts to read it, rows supplies all of its rows as they are then. Columns
// are BOOLEAN, BIGINT, DOUBLE, VARCHAR, JSON or TIMESTAMPTZ; values are nil, bool, int, int64, uint64 (up to 2^63-1), float64, string or
// time.Time to match. rows may be called from several threads at once and must not query the store.
func (s *Store) DefineSystem(name string, columns []types.Column, rows func() ([][]any, error)) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	sys := system{name, columns, rows}
	if err := s.register(sys); err != nil {
		return err
	}
	s.systems = append(s.systems, sys)
	return nil
}

func (sys system) function() string { return types.QuoteIdent("leat_system_" + sys.name) }

// register makes the table function and the view over it, which every opening of the database needs. maintaining and mu are held.
func (s *Store) register(sys system) error {
	if err := s.db.DefineTable("leat_system_"+sys.name, sys.columns, sys.record); err != nil {
		return err
	}
	return s.transact(context.Background(), s.keeper, func(ctx context.Context) error {
		return exec(ctx, s.keeper, fmt.Sprintf("CREATE OR REPLACE VIEW leat_system.%s AS SELECT * FROM %s()", types.QuoteIdent(sys.name), sys.function()))
	})
}

// record asks for the rows and makes a record of them.
func (sys system) record() (arrow.RecordBatch, error) {
	rows, err := sys.rows()
	if err != nil {
		return nil, err
	}
	names, kinds, cols := make([]string, len(sys.columns)), make([]types.Type, len(sys.columns)), make([]arrow.Array, len(sys.columns))
	for i, c := range sys.columns {
		b := array.NewBuilder(memory.DefaultAllocator, c.Type.Arrow())
		for _, row := range rows {
			if i >= len(row) {
				return nil, types.Errorf(types.Internal, "BUG: leat_system.%s: a row of %d values", sys.name, len(row))
			}
			if !appendValue(b, row[i]) {
				return nil, types.Errorf(types.Internal, "BUG: leat_system.%s.%s: a %T is no %s", sys.name, c.Name, row[i], c.Type)
			}
		}
		names[i], kinds[i], cols[i] = c.Name, c.Type, b.NewArray()
	}
	return duck.Record(names, kinds, cols, len(rows)), nil
}

// appendValue appends a Go value; false if the column can't hold it.
func appendValue(b array.Builder, v any) bool {
	if v == nil {
		b.AppendNull()
		return true
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		return appendAs(b.Append, v)
	case *array.Float64Builder:
		return appendAs(b.Append, v)
	case *array.StringBuilder:
		return appendAs(b.Append, v)
	case *array.TimestampBuilder:
		return appendAs(func(t time.Time) { b.Append(arrow.Timestamp(t.UnixMicro())) }, v)
	case *array.Int64Builder:
		switch v := v.(type) {
		case int:
			b.Append(int64(v))
		case uint64:
			b.Append(int64(v))
		default:
			return appendAs(b.Append, v)
		}
		return true
	}
	return false
}

func appendAs[T any](add func(T), v any) bool {
	t, ok := v.(T)
	if ok {
		add(t)
	}
	return ok
}
