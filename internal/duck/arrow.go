package duck

/*
#include <stdint.h>
#include <stdlib.h>

// From duckdb.h of the version that go.mod pins. Handles are pointers; ArrowSchema and ArrowArray are those of the Arrow C data
// interface. The bindings wrap the same functions, but behind the build tag duckdb_arrow, which a plain "go build" would lack.
extern void *duckdb_to_arrow_schema(void *options, void **types, const char **names, uint64_t count, void *out_schema);
extern void *duckdb_data_chunk_to_arrow(void *options, void *chunk, void *out_array);
extern void *duckdb_schema_from_arrow(void *connection, void *schema, void **out_converted);
extern void *duckdb_data_chunk_from_arrow(void *connection, void *array, void *converted, void **out_chunk);
extern void duckdb_destroy_arrow_converted_schema(void **converted);
*/
import "C"

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/cdata"
	ddb "github.com/duckdb/duckdb-go-bindings"

	"leat/internal/types"
)

// vectorSize is how many rows DuckDB handles at once.
const vectorSize = 2048

// errorOf reads and frees DuckDB's error data; nil if there is none.
func errorOf(p unsafe.Pointer) error {
	e := ddb.ErrorData{Ptr: p}
	defer ddb.DestroyErrorData(&e)
	if p == nil || !ddb.ErrorDataHasError(e) {
		return nil
	}
	return parseError("", ddb.ErrorDataMessage(e), ddb.ErrorDataErrorType(e))
}

// arrowSchema describes columns of DuckDB types as this connection exports them.
func (c *Conn) arrowSchema(logical []ddb.LogicalType, names []string) (*arrow.Schema, error) {
	n := len(names)
	cTypes := (*[1 << 20]unsafe.Pointer)(C.malloc(C.size_t(n+1) * 8))[: n+1 : n+1]
	cNames := (*[1 << 20]*C.char)(C.malloc(C.size_t(n+1) * 8))[: n+1 : n+1]
	defer C.free(unsafe.Pointer(&cTypes[0]))
	defer C.free(unsafe.Pointer(&cNames[0]))
	for i := range names {
		cTypes[i] = logical[i].Ptr
		cNames[i] = C.CString(names[i])
		defer C.free(unsafe.Pointer(cNames[i]))
	}
	var out cdata.CArrowSchema
	err := errorOf(C.duckdb_to_arrow_schema(c.arrow.Ptr, &cTypes[0], &cNames[0], C.uint64_t(n), unsafe.Pointer(&out)))
	if err != nil {
		return nil, err
	}
	s, err := cdata.ImportCArrowSchema(&out)
	if err != nil {
		return nil, types.Errorf(types.Internal, "DuckDB's Arrow schema: %w", err)
	}
	return s, nil
}

// record exports a chunk without copying; the record's memory is DuckDB's until its Release.
func (c *Conn) record(schema *arrow.Schema, chunk ddb.DataChunk) (arrow.RecordBatch, error) {
	var out cdata.CArrowArray
	if err := errorOf(C.duckdb_data_chunk_to_arrow(c.arrow.Ptr, chunk.Ptr, unsafe.Pointer(&out))); err != nil {
		return nil, err
	}
	rec, err := cdata.ImportCRecordBatchWithSchema(&out, schema)
	if err != nil {
		return nil, types.Errorf(types.Internal, "DuckDB's Arrow data: %w", err)
	}
	return rec, nil
}

// importer makes chunks from records of one schema.
type importer struct {
	conn ddb.Connection
	ptr  unsafe.Pointer
}

func newImporter(conn ddb.Connection, schema *arrow.Schema) (*importer, error) {
	var s cdata.CArrowSchema
	cdata.ExportArrowSchema(schema, &s)
	defer cdata.ReleaseCArrowSchema(&s)
	im := &importer{conn: conn}
	if err := errorOf(C.duckdb_schema_from_arrow(conn.Ptr, unsafe.Pointer(&s), &im.ptr)); err != nil {
		return nil, err
	}
	return im, nil
}

func (im *importer) close() { C.duckdb_destroy_arrow_converted_schema(&im.ptr) }

// chunk imports at most vectorSize rows. The caller destroys the chunk.
func (im *importer) chunk(rec arrow.RecordBatch) (ddb.DataChunk, error) {
	var a cdata.CArrowArray
	cdata.ExportArrowRecordBatch(rec, &a, nil)
	var chunk ddb.DataChunk
	err := errorOf(C.duckdb_data_chunk_from_arrow(im.conn.Ptr, unsafe.Pointer(&a), im.ptr, &chunk.Ptr))
	cdata.ReleaseCArrowArray(&a)
	return chunk, err
}

// Append adds rows to catalog.schema.table, whose columns are the record's, in order; an empty catalog is the opened database.
// It belongs to the transaction that is open.
func (c *Conn) Append(catalog, schema, table string, rec arrow.RecordBatch) error {
	im, err := newImporter(c.conn, rec.Schema())
	if err != nil {
		return err
	}
	defer im.close()
	var app ddb.Appender
	defer ddb.AppenderDestroy(&app)
	if ddb.AppenderCreateExt(c.conn, catalog, schema, table, &app) == ddb.StateError {
		return appenderError(app)
	}
	for from := int64(0); from < rec.NumRows(); from += vectorSize {
		piece := rec.NewSlice(from, min(from+vectorSize, rec.NumRows()))
		chunk, err := im.chunk(piece)
		piece.Release()
		if err != nil {
			return err
		}
		state := ddb.AppendDataChunk(app, chunk)
		ddb.DestroyDataChunk(&chunk)
		if state == ddb.StateError {
			return appenderError(app)
		}
	}
	if ddb.AppenderClose(app) == ddb.StateError {
		return appenderError(app)
	}
	return nil
}

func appenderError(app ddb.Appender) error {
	e := ddb.AppenderErrorData(app)
	defer ddb.DestroyErrorData(&e)
	return parseError("", ddb.ErrorDataMessage(e), ddb.ErrorDataErrorType(e))
}

// importField is the Arrow field by which DuckDB reads a column of a type: where Arrow's type alone is
// ambiguous (UUID, HUGEINT, JSON) an extension name tells.
func importField(name string, t types.Type) arrow.Field {
	f := arrow.Field{Name: name, Nullable: true}
	ext := func(name, meta string) {
		f.Metadata = arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{name, meta})
	}
	switch t.Kind {
	case types.UUID:
		f.Type = t.Arrow()
		ext("arrow.uuid", "")
	case types.JSON:
		f.Type = t.Arrow()
		ext("arrow.json", "")
	case types.List:
		f.Type = arrow.ListOfField(importField("item", *t.Elem))
	case types.Map:
		key, value := importField("key", *t.Key), importField("value", *t.Elem)
		key.Nullable = false
		f.Type = arrow.MapOfFields(key, value)
	case types.Struct:
		fields := make([]arrow.Field, len(t.Fields))
		for i, m := range t.Fields {
			fields[i] = importField(m.Name, m.Type)
		}
		f.Type = arrow.StructOf(fields...)
	default:
		f.Type = t.Arrow()
	}
	return f
}

// Record makes a record that Append and system tables take from columns of the given types.
func Record(names []string, columnTypes []types.Type, columns []arrow.Array, rows int) arrow.RecordBatch {
	fields := make([]arrow.Field, len(names))
	arrays := make([]arrow.Array, len(names))
	for i, n := range names {
		fields[i] = importField(n, columnTypes[i])
		arrays[i] = retyped(columns[i], fields[i].Type)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, int64(rows))
}

// retyped gives an array, and its children, a type of the same layout: only metadata of fields differs.
func retyped(a arrow.Array, t arrow.DataType) arrow.Array {
	if !arrow.IsNested(t.ID()) {
		return a
	}
	return array.MakeFromData(retypedData(a.Data().(*array.Data), t))
}

func retypedData(d *array.Data, t arrow.DataType) arrow.ArrayData {
	children := make([]arrow.ArrayData, len(d.Children()))
	for i, c := range d.Children() {
		children[i] = retypedData(c.(*array.Data), childType(t, i))
	}
	return array.NewData(t, d.Len(), d.Buffers(), children, d.NullN(), d.Offset())
}

func childType(t arrow.DataType, i int) arrow.DataType {
	switch t := t.(type) {
	case *arrow.MapType:
		return t.Elem()
	case arrow.ListLikeType:
		return t.Elem()
	case *arrow.StructType:
		return t.Field(i).Type
	}
	panic("BUG: no children in " + t.String())
}
