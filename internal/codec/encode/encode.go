// Package encode writes query results: JSON, NDJSON, CSV, TSV, Parquet and Arrow; and it knows the content codings of HTTP. Values in text are as docs and DESIGN 8 say:
//
//	integers to 64 bits   numbers (Options.Int64AsString quotes BIGINT and UBIGINT)
//	HUGEINT, DECIMAL      strings
//	FLOAT, DOUBLE         shortest numbers that read back the same; "NaN", "Infinity", "-Infinity"
//	TIMESTAMPTZ           "2024-01-02T03:04:05.000006Z"; TIMESTAMP the same without Z; DATE, TIME likewise
//	INTERVAL              "1 year 2 months 3 days 04:05:06.000007"
//	BLOB                  base64;  UUID  lower-case text;  JSON  as it is
//	LIST                  array;  STRUCT  object
//	MAP                   object where keys are VARCHAR, else an array of {"key":…, "value":…}
package encode

import (
	"context"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/types"
)

// Rows is a result being read; store.Rows is one. A record is valid until the next call of Next, which returns nil at the end.
type Rows interface {
	Columns() []types.Column
	Next(ctx context.Context) (arrow.RecordBatch, error)
	Truncated() bool
}

// Follower is Rows that come over time. Idle says that the next are not there yet: what was gathered of NDJSON and CSV is then written
// before waiting for them.
type Follower interface {
	Rows
	Idle() bool
}

// Options are what a client may choose.
type Options struct {
	// Int64AsString quotes BIGINT and UBIGINT in JSON and NDJSON.
	Int64AsString bool
	// ClickHouse names types in JSON's meta, and spells timestamps in JSON and NDJSON, as ClickHouse does.
	ClickHouse bool
	// Start is when the request came, for the statistics of the json format; zero is when encoding began.
	Start time.Time
}

// Counted is Rows that know what was read to make them. Rows that don't are taken to have been read as they are.
type Counted interface {
	// Counts are the rows and bytes read so far.
	Counts() (rows, bytes int64)
}

// Encode reads rows to their end and writes them to w. It holds one record at a time, and for parquet one row group.
// An error after the first bytes leaves a result that is visibly cut: unclosed JSON, a Parquet file without footer.
func Encode(ctx context.Context, w io.Writer, f Format, rows Rows, o Options) error {
	if o.Start.IsZero() {
		o.Start = time.Now()
	}
	switch f.Name {
	case "json":
		return writeJSON(ctx, w, rows, o)
	case "ndjson":
		return writeNDJSON(ctx, w, rows, o)
	case "csv":
		return writeCSV(ctx, w, rows)
	case "tsv":
		return writeTSV(ctx, w, rows)
	case "parquet":
		return writeParquet(ctx, w, rows)
	case "arrow":
		return writeArrow(ctx, w, rows)
	}
	return types.Errorf(types.InvalidArgument, "there is no format %q", f.Name)
}
