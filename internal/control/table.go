package control

import (
	"time"

	"leat/internal/types"
)

// Table is a small result. A value is a string, int64, bool, time.Time (TIMESTAMPTZ) or nil.
type Table struct {
	Columns []types.Column
	Rows    [][]any
}

// columnTypes are the types of the columns of SHOW, DESCRIBE and leat_system that are not VARCHAR.
var columnTypes = map[string]types.Kind{
	"lag": types.BigInt, "state_bytes": types.BigInt, "failed": types.BigInt, "late": types.BigInt,
	"columns": types.BigInt, "partitions": types.BigInt, "rows": types.BigInt, "bytes": types.BigInt, "position": types.BigInt,
	"not_null": types.Boolean, "watermark": types.TimestampTZ, "created": types.TimestampTZ,
}

// The columns of SHOW and of the tables of leat_system, which have the same rows.
var (
	shownColumns  = []string{"name", "kind", "columns", "partitions", "event_time", "watermark", "rows", "bytes", "created"}
	queryColumns  = []string{"name", "definition", "created"}
	columnColumns = []string{"object", "kind", "position", "column", "type", "not_null", "key", "note"}
)

func columnsNamed(names []string) []types.Column {
	out := make([]types.Column, len(names))
	for i, n := range names {
		kind, ok := columnTypes[n]
		if !ok {
			kind = types.Varchar
		}
		out[i] = types.Column{ID: int32(i + 1), Name: n, Type: types.Of(kind)}
	}
	return out
}

// table makes a table with at most one row.
func table(row []any, names ...string) *Table {
	t := &Table{Columns: columnsNamed(names)}
	if row != nil {
		t.Rows = [][]any{row}
	}
	return t
}

// instant is a time as a value of a Table: microseconds, UTC.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
