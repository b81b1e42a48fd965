package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/codec/encode"
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// records returns the rows of a batch as JSON objects. Columns without a name are called by their number, and a name that came before gets
// its number too.
func records(b *zset.Batch, names []string) []json.RawMessage {
	r := &oneBatch{}
	fields := make([]arrow.Field, len(b.Cols))
	cols := make([]arrow.Array, len(b.Cols))
	seen := map[string]bool{}
	for i, c := range b.Cols {
		name := fmt.Sprintf("column%d", i+1)
		if len(names) == len(b.Cols) && names[i] != "" {
			name = names[i]
		}
		if seen[name] {
			name = fmt.Sprintf("%s_%d", name, i+1)
		}
		seen[name] = true
		r.columns = append(r.columns, types.Column{ID: int32(i + 1), Name: name, Type: c.Type})
		cols[i] = zset.ToArrow(c)
		fields[i] = arrow.Field{Name: name, Type: cols[i].DataType(), Nullable: true}
	}
	r.batch = array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, int64(b.N))
	out := make([]json.RawMessage, b.N)
	var text bytes.Buffer
	if err := encode.Encode(context.Background(), &text, encode.Format{Name: "ndjson"}, r, encode.Options{}); err != nil {
		return out
	}
	for i, line := range bytes.Split(bytes.TrimSuffix(text.Bytes(), []byte("\n")), []byte("\n")) {
		if i < len(out) && json.Valid(line) {
			out[i] = line
		}
	}
	return out
}

// oneBatch is a result of one batch.
type oneBatch struct {
	columns []types.Column
	batch   arrow.RecordBatch
}

// Columns implements encode.Rows.
func (r *oneBatch) Columns() []types.Column { return r.columns }

// Next implements encode.Rows.
func (r *oneBatch) Next(context.Context) (arrow.RecordBatch, error) {
	b := r.batch
	r.batch = nil
	return b, nil
}

// Truncated implements encode.Rows.
func (r *oneBatch) Truncated() bool { return false }
