package duck

/*
#include <stdint.h>
extern void leat_table_bind(void *);
extern void leat_table_init(void *);
extern void leat_table_rows(void *, void *);
extern void leat_table_free(void *);
extern void *malloc(unsigned long);
extern void free(void *);
*/
import "C"

import (
	"fmt"
	"runtime/cgo"
	"strings"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	ddb "github.com/duckdb/duckdb-go-bindings"

	"leat/internal/types"
)

// table is a table function backed by Go. DuckDB holds pointers to C memory that contains a cgo.Handle.
type table struct {
	columns []types.Column
	rows    func() (arrow.RecordBatch, error)
	// types are the columns' DuckDB types, made once at registration.
	types []ddb.LogicalType
	db    *DB
}

// scan is one query's snapshot of a table.
type scan struct {
	db   *DB
	rec  arrow.RecordBatch
	next int64
}

// fill puts the next rows into a chunk; no rows is the end.
func (s *scan) fill(out ddb.DataChunk) error {
	n := min(vectorSize, s.rec.NumRows()-s.next)
	if n == 0 {
		ddb.DataChunkSetSize(out, 0)
		return nil
	}
	piece := s.rec.NewSlice(s.next, s.next+n)
	defer piece.Release()
	s.next += n
	s.db.tableMu.Lock()
	defer s.db.tableMu.Unlock()
	im, err := newImporter(s.db.tableConn.conn, piece.Schema())
	if err != nil {
		return err
	}
	defer im.close()
	chunk, err := im.chunk(piece)
	if err != nil {
		return err
	}
	defer ddb.DestroyDataChunk(&chunk)
	for i := range ddb.DataChunkGetColumnCount(out) {
		ddb.VectorReferenceVector(ddb.DataChunkGetVector(out, i), ddb.DataChunkGetVector(chunk, i))
	}
	ddb.DataChunkSetSize(out, ddb.IdxT(n))
	return nil
}

// TableSelect is the SELECT of all columns of a table function that DefineTable registered, in their own types: DuckDB reads some types of Arrow
// as others.
func TableSelect(name string, columns []types.Column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = `"` + strings.ReplaceAll(c.Name, `"`, `""`) + `"`
		if of := imported(c.Type); !of.Equal(c.Type) {
			list[i] = "CAST(" + list[i] + " AS " + c.Type.String() + ") AS " + list[i]
		}
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + name + "()"
}

// DefineTable registers the table function name(), whose rows are what rows returns (made with Record) when a query starts to
// read it. rows is called from DuckDB's threads; a panic in it becomes the query's error. Defining a name again replaces it.
func (d *DB) DefineTable(name string, columns []types.Column, rows func() (arrow.RecordBatch, error)) error {
	d.tableMu.Lock()
	defer d.tableMu.Unlock()
	if d.tableConn == nil {
		c, err := d.Connect()
		if err != nil {
			return err
		}
		d.tableConn = c
	}
	c := d.tableConn
	t := &table{columns: columns, rows: rows, db: d}
	for _, col := range columns {
		lt, err := c.logicalType(imported(col.Type))
		if err != nil {
			return err
		}
		t.types = append(t.types, lt)
	}
	f := ddb.CreateTableFunction()
	defer ddb.DestroyTableFunction(&f)
	ddb.TableFunctionSetName(f, name)
	ddb.TableFunctionSetExtraInfo(f, handlePointer(cgo.NewHandle(t)), C.leat_table_free)
	ddb.TableFunctionSetBind(f, C.leat_table_bind)
	ddb.TableFunctionSetInit(f, C.leat_table_init)
	ddb.TableFunctionSetFunction(f, C.leat_table_rows)
	if ddb.RegisterTableFunction(c.conn, f) == ddb.StateError {
		return types.Errorf(types.Internal, "DuckDB refuses the table function %s", name)
	}
	return nil
}

// logicalType asks DuckDB for its form of a type; the caller destroys it.
func (c *Conn) logicalType(t types.Type) (ddb.LogicalType, error) {
	var r ddb.Result
	defer ddb.DestroyResult(&r)
	if ddb.Query(c.conn, "SELECT NULL::"+t.String(), &r) == ddb.StateError {
		return ddb.LogicalType{}, parseError("", ddb.ResultError(&r), ddb.ResultErrorType(&r))
	}
	return ddb.ColumnLogicalType(&r, 0), nil
}

// handlePointer puts a handle into C memory, where DuckDB may keep its address; leat_table_free frees both.
func handlePointer(h cgo.Handle) unsafe.Pointer {
	p := C.malloc(C.ulong(unsafe.Sizeof(h)))
	*(*cgo.Handle)(p) = h
	return p
}

func handleValue[T any](p unsafe.Pointer) T { return (*(*cgo.Handle)(p)).Value().(T) }

//export leat_table_free
func leat_table_free(p unsafe.Pointer) {
	h := *(*cgo.Handle)(p)
	if s, ok := h.Value().(*scan); ok {
		s.rec.Release()
	}
	if t, ok := h.Value().(*table); ok {
		for i := range t.types {
			ddb.DestroyLogicalType(&t.types[i])
		}
	}
	h.Delete()
	C.free(p)
}

//export leat_table_bind
func leat_table_bind(p unsafe.Pointer) {
	info := ddb.BindInfo{Ptr: p}
	t := handleValue[*table](ddb.BindGetExtraInfo(info))
	for i, c := range t.columns {
		ddb.BindAddResultColumn(info, c.Name, t.types[i])
	}
}

//export leat_table_init
func leat_table_init(p unsafe.Pointer) {
	info := ddb.InitInfo{Ptr: p}
	// A panic must not cross into C++: it would end the process.
	defer func() {
		if r := recover(); r != nil {
			ddb.InitSetError(info, fmt.Sprintf("reading a system table: %v", r))
		}
	}()
	t := handleValue[*table](ddb.InitGetExtraInfo(info))
	rec, err := t.rows()
	if err != nil {
		ddb.InitSetError(info, err.Error())
		return
	}
	ddb.InitSetMaxThreads(info, 1)
	ddb.InitSetInitData(info, handlePointer(cgo.NewHandle(&scan{db: t.db, rec: rec})), C.leat_table_free)
}

//export leat_table_rows
func leat_table_rows(p, out unsafe.Pointer) {
	info, output := ddb.FunctionInfo{Ptr: p}, ddb.DataChunk{Ptr: out}
	defer func() {
		if r := recover(); r != nil {
			ddb.FunctionSetError(info, fmt.Sprintf("reading a system table: %v", r))
		}
	}()
	if err := handleValue[*scan](ddb.FunctionGetInitData(info)).fill(output); err != nil {
		ddb.FunctionSetError(info, err.Error())
	}
}
