package encode

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"leat/internal/types"
)

// rowGroup is the rows of one Parquet row group; it bounds what the writer holds.
const rowGroup = 64 << 10

func schemaOf(columns []types.Column, typeOf func(types.Type) arrow.DataType) *arrow.Schema {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: typeOf(c.Type), Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// writeArrow writes an Arrow IPC stream. Its schema is that of the first record, or of the columns where there is none.
func writeArrow(ctx context.Context, w io.Writer, rows Rows) error {
	rec, err := rows.Next(ctx)
	if err != nil {
		return err
	}
	schema := schemaOf(rows.Columns(), types.Type.Arrow)
	if rec != nil {
		schema = rec.Schema()
	}
	out := ipc.NewWriter(w, ipc.WithSchema(schema))
	for ; rec != nil && err == nil; rec, err = rows.Next(ctx) {
		if err := out.Write(rec); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return out.Close()
}

// writeParquet writes zstd-compressed Parquet. INTERVAL, which Parquet readers hardly know, is text.
func writeParquet(ctx context.Context, w io.Writer, rows Rows) error {
	columns := rows.Columns()
	schema := schemaOf(columns, parquetType)
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithMaxRowGroupLength(rowGroup))
	out, err := pqarrow.NewFileWriter(schema, struct{ io.Writer }{w}, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return types.Errorf(types.Unsupported, "this result has no Parquet form: %w", err)
	}
	for {
		rec, err := rows.Next(ctx)
		if err != nil {
			return err
		}
		if rec == nil {
			return out.Close()
		}
		if err := out.WriteBuffered(parquetRecord(rec, columns, schema)); err != nil {
			return err
		}
	}
}

func parquetType(t types.Type) arrow.DataType {
	if t.Kind == types.Interval {
		return arrow.BinaryTypes.String
	}
	return t.Arrow()
}

func parquetRecord(rec arrow.RecordBatch, columns []types.Column, schema *arrow.Schema) arrow.RecordBatch {
	arrays := make([]arrow.Array, len(columns))
	for i, c := range columns {
		arrays[i] = rec.Column(i)
		if !arrow.TypeEqual(arrays[i].DataType(), schema.Field(i).Type) {
			arrays[i] = asText(arrays[i], c.Type)
		}
	}
	return array.NewRecordBatch(schema, arrays, rec.NumRows())
}

func asText(a arrow.Array, t types.Type) arrow.Array {
	out := array.NewStringBuilder(memory.DefaultAllocator)
	text := textColumn(a, t, appendCSV)
	for i := range a.Len() {
		if a.IsNull(i) {
			out.AppendNull()
			continue
		}
		out.Append(string(text(nil, i)))
	}
	return out.NewArray()
}
