package duck

/*
#include <stdint.h>
extern void leat_table_bind(void *);
extern void leat_table_init(void *);
extern void leat_table_rows(void *, void *);
extern void leat_table_free(void *);
extern void duckdb_table_function_get_client_context(void *info, void **out_context);
extern uint64_t duckdb_client_context_get_connection_id(void *context);
extern void duckdb_destroy_client_context(void **context);
extern void *malloc(unsigned long);
extern void free(void *);
*/
import "C"

import (
	"fmt"
	"runtime"
	"runtime/cgo"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	ddb "github.com/duckdb/duckdb-go-bindings"

	"leat/internal/types"
)

// TableRows is one reading of a table function's rows. It is used by one thread at a time.
type TableRows interface {
	// Next returns the next rows of the columns that were asked for, in that order, made with Record; nil at the end. They stay the reader's, who
	// doesn't change them.
	Next() (arrow.RecordBatch, error)
	// Close is called once, when the query has read enough.
	Close()
}

// function is a table function backed by Go. DuckDB holds pointers to C memory that contains a cgo.Handle. It keeps the first function that
// a name is given to, so what the name means is looked up here.
type function struct{ now atomic.Pointer[table] }

// table is what a table function returns.
type table struct {
	columns []types.Column
	open    func(pin any, columns []int) (TableRows, error)
	// types are the columns' DuckDB types; they are destroyed when no query is bound to the table any more.
	types []ddb.LogicalType
	db    *DB
}

// binding is a table function in a statement, with the statement's connection, if known. One that is kept is bound once and run with many pins.
type binding struct {
	*table
	conn *Conn
}

// pin is what the query under way gives its sources.
func (b *binding) pin() any {
	if b.conn == nil {
		return nil
	}
	return b.conn.pin
}

// fail keeps the coded error of a source for the query that it fails: DuckDB passes on the text only.
func (b *binding) fail(err error) {
	if e := types.AsError(err); b.conn != nil && e != nil && e.Code != types.Internal {
		b.conn.source.Store(e)
	}
}

// scan is one query's reading of a table.
type scan struct {
	of   *binding
	conn ddb.Connection
	rows TableRows
	// places are where the columns of the records stand in DuckDB's chunks, types what they were bound as.
	places []ddb.IdxT
	types  []arrow.DataType
	im     *importer
	rec    arrow.RecordBatch
	next   int64
}

// fill puts the next rows into a chunk; no rows is the end.
func (s *scan) fill(out ddb.DataChunk) error {
	for s.rec == nil || s.next == s.rec.NumRows() {
		rec, err := s.rows.Next()
		if err != nil {
			return err
		}
		if rec == nil {
			ddb.DataChunkSetSize(out, 0)
			return nil
		}
		// DuckDB ends the process when a vector has another type than its column.
		for i, t := range s.types {
			if !arrow.TypeEqual(rec.Schema().Field(i).Type, t) {
				return types.Errorf(types.Unavailable, "a table was defined anew while the query began").WithHint("ask again")
			}
		}
		s.rec, s.next = rec, 0
	}
	n := min(vectorSize, s.rec.NumRows()-s.next)
	if err := s.copyTo(out, s.rec.NewSlice(s.next, s.next+n)); err != nil {
		return err
	}
	s.next += n
	ddb.DataChunkSetSize(out, ddb.IdxT(n))
	return nil
}

// copyTo makes the vectors of a chunk those of a record, and releases it.
func (s *scan) copyTo(out ddb.DataChunk, piece arrow.RecordBatch) (err error) {
	defer piece.Release()
	if len(s.places) == 0 {
		return nil
	}
	if s.im == nil {
		if s.im, err = newImporter(s.conn, piece.Schema()); err != nil {
			return err
		}
	}
	chunk, err := s.im.chunk(piece)
	if err != nil {
		return err
	}
	defer ddb.DestroyDataChunk(&chunk)
	for i, place := range s.places {
		ddb.VectorReferenceVector(ddb.DataChunkGetVector(out, place), ddb.DataChunkGetVector(chunk, ddb.IdxT(i)))
	}
	return nil
}

func (s *scan) close() {
	s.rows.Close()
	if s.im != nil {
		s.im.close()
	}
}

// oneRecord is the reading of a record that has all columns.
type oneRecord struct {
	rec  arrow.RecordBatch
	done bool
}

// pick makes a record of some columns of another.
func pick(rec arrow.RecordBatch, columns []int) arrow.RecordBatch {
	fields, cols := make([]arrow.Field, len(columns)), make([]arrow.Array, len(columns))
	for i, c := range columns {
		fields[i], cols[i] = rec.Schema().Field(c), rec.Column(c)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, rec.NumRows())
}

func (o *oneRecord) Next() (arrow.RecordBatch, error) {
	if o.done {
		return nil, nil
	}
	o.done = true
	return o.rec, nil
}

func (o *oneRecord) Close() {}

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
	return d.DefineSource(name, columns, func(_ any, columns []int) (TableRows, error) {
		rec, err := rows()
		if err != nil {
			return nil, err
		}
		return &oneRecord{rec: pick(rec, columns)}, nil
	})
}

// DefineSource is DefineTable for rows that come piece by piece. open is called when a query starts to read the function: pin is what
// Conn.SetPin had last on its connection, columns are the positions of those that the query needs, maybe none.
func (d *DB) DefineSource(name string, columns []types.Column, open func(pin any, columns []int) (TableRows, error)) error {
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
	t := &table{columns: columns, open: open, db: d}
	for _, col := range columns {
		lt, err := c.logicalType(imported(col.Type))
		if err != nil {
			return err
		}
		t.types = append(t.types, lt)
	}
	runtime.AddCleanup(t, destroyTypes, t.types)
	if known := d.functions[name]; known != nil {
		known.now.Store(t)
		d.Forget()
		return nil
	}
	named := &function{}
	named.now.Store(t)
	f := ddb.CreateTableFunction()
	defer ddb.DestroyTableFunction(&f)
	ddb.TableFunctionSetName(f, name)
	ddb.TableFunctionSetExtraInfo(f, handlePointer(cgo.NewHandle(named)), C.leat_table_free)
	ddb.TableFunctionSetBind(f, C.leat_table_bind)
	ddb.TableFunctionSetInit(f, C.leat_table_init)
	ddb.TableFunctionSetFunction(f, C.leat_table_rows)
	ddb.TableFunctionSupportsProjectionPushdown(f, true)
	if ddb.RegisterTableFunction(c.conn, f) == ddb.StateError {
		return types.Errorf(types.Internal, "DuckDB refuses the table function %s", name)
	}
	if d.functions == nil {
		d.functions = map[string]*function{}
	}
	d.functions[name] = named
	return nil
}

func destroyTypes(all []ddb.LogicalType) {
	for i := range all {
		ddb.DestroyLogicalType(&all[i])
	}
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
		s.close()
	}
	h.Delete()
	C.free(p)
}

//export leat_table_bind
func leat_table_bind(p unsafe.Pointer) {
	info := ddb.BindInfo{Ptr: p}
	t := handleValue[*function](ddb.BindGetExtraInfo(info)).now.Load()
	for i, c := range t.columns {
		ddb.BindAddResultColumn(info, c.Name, t.types[i])
	}
	var ctx unsafe.Pointer
	C.duckdb_table_function_get_client_context(p, &ctx)
	defer C.duckdb_destroy_client_context(&ctx)
	b := &binding{table: t}
	if c, ok := t.db.conns.Load(uint64(C.duckdb_client_context_get_connection_id(ctx))); ok {
		b.conn = c.(*Conn)
	}
	ddb.BindSetBindData(info, handlePointer(cgo.NewHandle(b)), C.leat_table_free)
}

//export leat_table_init
func leat_table_init(p unsafe.Pointer) {
	info := ddb.InitInfo{Ptr: p}
	// A panic must not cross into C++: it would end the process.
	defer func() {
		if r := recover(); r != nil {
			ddb.InitSetError(info, fmt.Sprintf("reading a table: %v", r))
		}
	}()
	b := handleValue[*binding](ddb.InitGetBindData(info))
	s := &scan{of: b, conn: b.db.tableConn.conn}
	var columns []int
	for i := range ddb.InitGetColumnCount(info) {
		// count(*) asks for a column that no table has, and reads nothing of it.
		if c := ddb.InitGetColumnIndex(info, i); c < ddb.IdxT(len(b.columns)) {
			columns, s.places = append(columns, int(c)), append(s.places, i)
			s.types = append(s.types, importField("", b.columns[c].Type).Type)
		}
	}
	rows, err := b.open(b.pin(), columns)
	if err != nil {
		b.fail(err)
		ddb.InitSetError(info, err.Error())
		return
	}
	s.rows = rows
	ddb.InitSetMaxThreads(info, 1)
	ddb.InitSetInitData(info, handlePointer(cgo.NewHandle(s)), C.leat_table_free)
}

//export leat_table_rows
func leat_table_rows(p, out unsafe.Pointer) {
	info, output := ddb.FunctionInfo{Ptr: p}, ddb.DataChunk{Ptr: out}
	defer func() {
		if r := recover(); r != nil {
			ddb.FunctionSetError(info, fmt.Sprintf("reading a table: %v", r))
		}
	}()
	s := handleValue[*scan](ddb.FunctionGetInitData(info))
	if err := s.fill(output); err != nil {
		s.of.fail(err)
		ddb.FunctionSetError(info, err.Error())
	}
}
