package codec

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"leat/internal/types"
)

// parquetRows is how many rows are read at once.
const parquetRows = 1024

// ParquetSchema returns the columns of a Parquet file as a stream's schema, version 1. Types that no stream has become
// the nearest that hold every value: dictionaries their values, TIME and TIMESTAMP of any unit microseconds.
func ParquetSchema(r parquet.ReaderAtSeeker) (*types.Schema, error) {
	pq, closer, err := openParquet(r)
	if err != nil {
		return nil, err
	}
	defer closer()
	a, err := pq.Schema()
	if err != nil {
		return nil, parquetError(err)
	}
	s := &types.Schema{Version: 1}
	for _, f := range a.Fields() {
		t, err := typeFromArrow(f.Type)
		if err != nil {
			return nil, types.Errorf(types.Unsupported, "column %q: %w", f.Name, err)
		}
		s.Add(f.Name, t, f.Name)
	}
	return s, s.Validate()
}

// ParquetRecords reads a Parquet file and calls f with its rows in order as records of Arrow columns, which are valid during
// the call. It stops at the first error of f, or when ctx ends.
func ParquetRecords(ctx context.Context, r parquet.ReaderAtSeeker, f func(arrow.RecordBatch) error) error {
	pq, closer, err := openParquet(r)
	if err != nil {
		return err
	}
	defer closer()
	records, err := pq.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return parquetError(err)
	}
	defer records.Release()
	for records.Next() {
		if err := f(records.RecordBatch()); err != nil {
			return err
		}
	}
	if err := records.Err(); err != nil {
		return parquetError(err)
	}
	return ctx.Err()
}

// ParquetLines is ParquetRecords with the rows as NDJSON, which Decode reads back.
func ParquetLines(ctx context.Context, r parquet.ReaderAtSeeker, f func(ndjson []byte) error) error {
	return ParquetRecords(ctx, r, func(rec arrow.RecordBatch) error {
		var out lineWriter
		if err := array.RecordToJSON(rec, &out); err != nil {
			return fmt.Errorf("print rows of the Parquet file: %w", err)
		}
		return f(out)
	})
}

type lineWriter []byte

func (w *lineWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

func openParquet(r parquet.ReaderAtSeeker) (*pqarrow.FileReader, func(), error) {
	f, err := file.NewParquetReader(r)
	if err != nil {
		return nil, nil, parquetError(err)
	}
	pq, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: parquetRows}, memory.DefaultAllocator)
	if err != nil {
		return nil, nil, parquetError(err)
	}
	return pq, func() { _ = f.Close() }, nil // it was only read
}

func parquetError(err error) error {
	return types.Errorf(types.InvalidArgument, "the Parquet file cannot be read: %w", err)
}

var fromArrow = map[arrow.Type]types.Kind{
	arrow.BOOL: types.Boolean, arrow.INT8: types.TinyInt, arrow.INT16: types.SmallInt, arrow.INT32: types.Integer, arrow.INT64: types.BigInt,
	arrow.UINT8: types.UTinyInt, arrow.UINT16: types.USmallInt, arrow.UINT32: types.UInteger, arrow.UINT64: types.UBigInt,
	arrow.FLOAT16: types.Float, arrow.FLOAT32: types.Float, arrow.FLOAT64: types.Double,
	arrow.STRING: types.Varchar, arrow.LARGE_STRING: types.Varchar, arrow.BINARY: types.Blob, arrow.LARGE_BINARY: types.Blob,
	arrow.FIXED_SIZE_BINARY: types.Blob, arrow.DATE32: types.Date, arrow.DATE64: types.Date, arrow.TIME32: types.Time, arrow.TIME64: types.Time,
	arrow.INTERVAL_MONTH_DAY_NANO: types.Interval,
}

// typeFromArrow returns the type of a stream's column that holds an Arrow type's values.
func typeFromArrow(a arrow.DataType) (types.Type, error) {
	if k, ok := fromArrow[a.ID()]; ok {
		return types.Of(k), nil
	}
	switch a := a.(type) {
	case *arrow.TimestampType:
		if a.TimeZone != "" {
			return types.Of(types.TimestampTZ), nil
		}
		return types.Of(types.Timestamp), nil
	case *arrow.Decimal128Type:
		return types.DecimalOf(uint8(a.Precision), uint8(a.Scale)), nil
	case *arrow.DictionaryType:
		return typeFromArrow(a.ValueType)
	case *arrow.StructType:
		t := types.Type{Kind: types.Struct}
		for _, f := range a.Fields() {
			ft, err := typeFromArrow(f.Type)
			if err != nil {
				return types.Type{}, err
			}
			t.Fields = append(t.Fields, types.Field{Name: f.Name, Key: f.Name, Type: ft})
		}
		return t, nil
	case *arrow.MapType:
		// As JSON rows a map is a list of {"key", "value"}.
		return typeFromArrow(arrow.ListOf(arrow.StructOf(a.KeyField(), a.ItemField())))
	case arrow.ListLikeType:
		elem, err := typeFromArrow(a.Elem())
		return types.ListOf(elem), err
	case arrow.ExtensionType:
		if a.ExtensionName() == "arrow.uuid" {
			return types.Of(types.UUID), nil
		}
		return typeFromArrow(a.StorageType())
	}
	return types.Type{}, fmt.Errorf("type %s is not supported", a)
}
