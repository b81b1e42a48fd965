// Package encode writes query results: JSON, NDJSON, CSV, Parquet and Arrow. Values in text are as docs and DESIGN 8 say:
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
	"strings"
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

// Format names a form of results.
type Format struct {
	// Name is json, ndjson, csv, parquet or arrow.
	Name, ContentType string
}

// Options are what a client may choose.
type Options struct {
	// Int64AsString quotes BIGINT and UBIGINT in JSON and NDJSON.
	Int64AsString bool
	// Start is when the request came, for the statistics of the json format; zero is when encoding began.
	Start time.Time
}

var formats = []Format{
	{"json", "application/json"}, {"ndjson", "application/x-ndjson"}, {"csv", "text/csv; charset=utf-8"},
	{"parquet", "application/vnd.apache.parquet"}, {"arrow", "application/vnd.apache.arrow.stream"},
}

// mediaTypes are what Accept may name besides the formats' own types.
var mediaTypes = map[string]string{
	"application/json": "json", "application/x-ndjson": "ndjson", "application/ndjson": "ndjson", "application/jsonl": "ndjson",
	"text/csv": "csv", "application/vnd.apache.parquet": "parquet", "application/vnd.apache.arrow.stream": "arrow",
	"*/*": "json", "application/*": "json", "text/*": "csv",
}

// Negotiate picks a format by name, or by an Accept header when name is empty; json when both are.
// An unknown name is types.InvalidArgument, an Accept that nothing fits types.NotAcceptable.
func Negotiate(name, accept string) (Format, error) {
	if name == "" && strings.TrimSpace(accept) == "" {
		return formats[0], nil
	}
	if name != "" {
		if f, ok := byName(strings.ToLower(name)); ok {
			return f, nil
		}
		e := types.Errorf(types.InvalidArgument, "there is no format %.40q", name).WithHint("the formats are json, ndjson, csv, parquet and arrow")
		e.Path = "format"
		return Format{}, e
	}
	best, bestQ := Format{}, 0.0
	for _, part := range strings.Split(accept, ",") {
		media, q := quality(part)
		if f, ok := byName(mediaTypes[media]); ok && q > bestQ {
			best, bestQ = f, q
		}
	}
	if best.Name == "" {
		return Format{}, types.Errorf(types.NotAcceptable, "no format fits Accept: %.100s", accept).
			WithHint("leave Accept out or set format= to json, ndjson, csv, parquet or arrow")
	}
	return best, nil
}

func byName(name string) (Format, bool) {
	for _, f := range formats {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
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
	case "parquet":
		return writeParquet(ctx, w, rows)
	case "arrow":
		return writeArrow(ctx, w, rows)
	}
	return types.Errorf(types.InvalidArgument, "there is no format %q", f.Name)
}
