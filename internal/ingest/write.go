package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/auth"
	"leat/internal/bus"
	"leat/internal/catalog"
	"leat/internal/codec"
	"leat/internal/types"
)

// Rows are the rows of a statement: the result of its SELECT or VALUES.
type Rows struct {
	// Columns names the target column of each column of Records; empty means the schema's columns in order.
	Columns []string
	// Records have equal Arrow schemas.
	Records []arrow.RecordBatch
}

// Write is INSERT: it appends the rows to a stream or table, all of them or none, in one append. Columns that are not
// named are NULL. A value that its column cannot hold exactly is types.DataError and names row and column; the
// schema never changes. It needs the scope append.
func (s *Service) Write(ctx context.Context, who auth.Principal, object string, rows Rows) (Result, error) {
	return s.rows(ctx, who, object, func(obj *catalog.Object) (*types.Batch, error) {
		names := rows.Columns
		if len(names) == 0 {
			names = columnNames(obj.Stream.Schema, nil)
		}
		b, err := bind(obj.Stream.Schema, names, rows.Records)
		if err != nil {
			return nil, err
		}
		for c, column := range obj.Stream.Schema.Columns {
			if column.NotNull || isKey(obj, column.ID) {
				if err := noNull(b, c); err != nil {
					return nil, err
				}
			}
		}
		return b, nil
	})
}

// Delete is DELETE FROM table WHERE key = ...: it appends a delete for each key. Records name every column of the primary key; where Columns is
// empty they are in key order. Keys without a row are fine; Accepted counts keys. It needs the scope append.
func (s *Service) Delete(ctx context.Context, who auth.Principal, table string, keys Rows) (Result, error) {
	return s.rows(ctx, who, table, func(obj *catalog.Object) (*types.Batch, error) {
		if len(obj.Stream.PrimaryKey) == 0 {
			return nil, types.Errorf(types.NotAllowed, "%q is a stream, which only grows; rows can be deleted from tables", obj.Name)
		}
		names := keys.Columns
		if len(names) == 0 {
			names = columnNames(obj.Stream.Schema, obj.Stream.PrimaryKey)
		}
		if len(names) != len(obj.Stream.PrimaryKey) {
			return nil, types.Errorf(types.InvalidArgument, "the key of table %q has %d columns and %d were given", obj.Name, len(obj.Stream.PrimaryKey), len(names))
		}
		b, err := bind(obj.Stream.Schema, names, keys.Records)
		if err != nil {
			return nil, err
		}
		for _, id := range obj.Stream.PrimaryKey {
			if err := noNull(b, b.Schema.IndexID(id)); err != nil {
				return nil, err
			}
		}
		b.Weights = make([]int64, b.Rows)
		for i := range b.Weights {
			b.Weights[i] = -1
		}
		return b, nil
	})
}

// DeleteKey is Delete of one row by the texts of its key columns, in key order.
func (s *Service) DeleteKey(ctx context.Context, who auth.Principal, table string, key []string) (Result, error) {
	return s.Delete(ctx, who, table, Rows{Records: []arrow.RecordBatch{textRecord(key...)}})
}

// Put replaces one row of a table by the texts of its key columns, in key order. The body is a JSON object; its key columns may be left
// out, else they must be the key. Fields that the table does not know grow its schema as events do. It needs the scope append.
func (s *Service) Put(ctx context.Context, who auth.Principal, table string, key []string, body []byte) (Result, error) {
	if err := s.admit(who, table); err != nil {
		return Result{}, err
	}
	obj, ok := s.Catalog.ByName(table)
	switch {
	case !ok:
		return Result{}, types.Errorf(types.UnknownRelation, "there is no table %q", table)
	case obj.Stream == nil || len(obj.Stream.PrimaryKey) == 0:
		return Result{}, types.Errorf(types.InvalidArgument, "%q is not a table", table)
	case len(obj.Stream.PrimaryKey) != len(key):
		return Result{}, types.Errorf(types.InvalidArgument, "the key of table %q has %d columns and %d were given", table, len(obj.Stream.PrimaryKey), len(key))
	}
	row, err := withKey(obj, key, body)
	if err != nil {
		return Result{}, err
	}
	return s.Send(ctx, Request{
		Principal: who, Stream: table, Body: bytes.NewReader(row), ContentLength: int64(len(row)),
		ContentType: "application/json", Strict: true,
	})
}

// withKey adds the key columns that a row leaves out, and checks those that are there.
func withKey(obj *catalog.Object, key []string, body []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return nil, types.Errorf(types.InvalidRecord, "the body must be one JSON object with the row's columns")
	}
	if op, ok := members["_op"]; ok {
		return nil, types.Errorf(types.InvalidRecord, "a PUT replaces the row, so _op (%.20s) has no place in it", op).WithHint("to delete it, send DELETE")
	}
	var missing []string
	for i, id := range obj.Stream.PrimaryKey {
		member, err := keyMember(obj.Stream.Schema.Columns[obj.Stream.Schema.IndexID(id)], key[i], members)
		if err != nil {
			return nil, err
		}
		if member != "" {
			missing = append(missing, member)
		}
	}
	if len(missing) == 0 {
		return body, nil
	}
	row := []byte("{" + strings.Join(missing, ","))
	rest := bytes.TrimSpace(bytes.TrimSpace(body)[1:])
	if len(members) > 0 {
		row = append(row, ',')
	}
	return append(row, rest...), nil
}

// keyMember returns the JSON member that a row lacks to have that key value, "" if it has it.
func keyMember(column types.Column, key string, members map[string]json.RawMessage) (string, error) {
	want, err := cast(textRecord(key).Column(0), column.Type, 0)
	if err != nil {
		return "", inColumn(column.Name, err)
	}
	name := column.Name
	if len(column.Path) == 1 {
		name = column.Path[0]
	}
	has, ok := members[name]
	if !ok {
		text, _ := textOf(want, 0)
		if k := column.Type.Kind; !k.IsInteger() && k != types.Boolean {
			text = quoted(key)
		}
		return quoted(name) + ":" + text, nil
	}
	text := string(has)
	if has[0] == '"' {
		if err := json.Unmarshal(has, &text); err != nil {
			return "", types.Errorf(types.InvalidRecord, "%s: %w", name, err)
		}
	}
	got, err := cast(textRecord(text).Column(0), column.Type, 0)
	if err != nil || !array.Equal(got, want) {
		return "", types.Errorf(types.InvalidArgument, "the body's %s is %.40s and the path's is %.40q", name, has, key)
	}
	return "", nil
}

// quoted prints a JSON string.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("BUG: string as JSON: " + err.Error())
	}
	return string(b)
}

// rows appends the batch that build makes by the present schema.
func (s *Service) rows(ctx context.Context, who auth.Principal, object string, build func(*catalog.Object) (*types.Batch, error)) (Result, error) {
	began := s.Now()
	if err := s.admit(who, object); err != nil {
		s.meters.failed(err)
		return Result{}, err
	}
	var r Result
	decode := func(obj *catalog.Object, _ bool) (*codec.Decoded, error) {
		b, err := build(obj)
		if err != nil {
			return nil, err
		}
		if n := int64(b.Bytes()); n > s.Config.MaxDecoded {
			return nil, types.Errorf(types.PayloadTooLarge, "the statement's rows have %d bytes; at most %d go into one append", n, s.Config.MaxDecoded).
				WithHint("split it into several statements")
		}
		d := &codec.Decoded{Batch: b}
		for i, c := range b.Columns {
			if !b.Schema.Columns[i].Wide && beyond(c) {
				d.Wide = append(d.Wide, b.Schema.Columns[i].ID)
			}
		}
		return d, nil
	}
	commit := func(obj *catalog.Object, d *codec.Decoded) error {
		r = Result{Accepted: d.Batch.Rows}
		if d.Batch.Rows == 0 {
			r.Position = s.Log.Position(obj.ID)
			return nil
		}
		parts, err := route(obj, d.Batch, s.turn.Add(1))
		if err != nil {
			return err
		}
		ack, err := s.Log.Append(ctx, &bus.Append{Parts: parts})
		if err != nil {
			return err
		}
		r.Position = positionOf(s.Log.Incarnation(), ack)
		s.meters.acked(obj.ID, obj.Name, &r, nil, d.Batch.Bytes(), s.Now().Sub(began))
		return nil
	}
	if err := s.fit(ctx, &load{who: who, stream: object, decode: decode, commit: commit}); err != nil {
		s.meters.failed(err)
		return Result{}, err
	}
	return r, nil
}

// bind makes a batch of the schema from records whose columns have those names.
func bind(schema *types.Schema, names []string, records []arrow.RecordBatch) (*types.Batch, error) {
	source := make([]int, len(schema.Columns))
	for i := range source {
		source[i] = -1
	}
	for i, name := range names {
		c := schema.Index(name)
		if c < 0 {
			return nil, types.Errorf(types.UnknownColumn, "there is no column %s; the columns are: %s", types.QuoteIdent(name), schema)
		}
		if source[c] >= 0 {
			return nil, types.Errorf(types.InvalidArgument, "column %s is named twice", types.QuoteIdent(name))
		}
		source[c] = i
	}
	var batches []*types.Batch
	base := 0
	for _, r := range records {
		if int(r.NumCols()) != len(names) {
			return nil, types.Errorf(types.InvalidArgument, "%d values a row for %d columns: %s", r.NumCols(), len(names), strings.Join(names, ", "))
		}
		b := &types.Batch{Schema: schema, Columns: make([]arrow.Array, len(schema.Columns)), Rows: int(r.NumRows())}
		for c, column := range schema.Columns {
			if source[c] < 0 {
				b.Columns[c] = array.MakeArrayOfNull(allocator, column.Type.Arrow(), b.Rows)
				continue
			}
			converted, err := cast(r.Column(source[c]), column.Type, base)
			if err != nil {
				return nil, inColumn(column.Name, err)
			}
			b.Columns[c] = converted
		}
		batches = append(batches, b)
		base += b.Rows
	}
	if len(batches) == 0 {
		return &types.Batch{Schema: schema}, nil
	}
	return concat(batches)
}

// noNull refuses a batch that has a NULL in that column.
func noNull(b *types.Batch, column int) error {
	if b.Rows == 0 || b.Columns[column].NullN() == 0 {
		return nil
	}
	row := 0
	for !b.Columns[column].IsNull(row) {
		row++
	}
	return types.Errorf(types.DataError, "row %d: column %s may not be NULL", row+1, types.QuoteIdent(b.Schema.Columns[column].Name))
}

func isKey(obj *catalog.Object, id int32) bool {
	for _, k := range obj.Stream.PrimaryKey {
		if k == id {
			return true
		}
	}
	return false
}

// columnNames are the names of the columns with those IDs, in that order, or of all.
func columnNames(schema *types.Schema, ids []int32) []string {
	var out []string
	for _, c := range schema.Columns {
		if ids == nil {
			out = append(out, c.Name)
		}
	}
	for _, id := range ids {
		out = append(out, schema.Columns[schema.IndexID(id)].Name)
	}
	return out
}

// textRecord is one row of one text.
func textRecord(texts ...string) arrow.RecordBatch {
	fields, columns := make([]arrow.Field, len(texts)), make([]arrow.Array, len(texts))
	for i, text := range texts {
		b := array.NewStringBuilder(allocator)
		b.Append(text)
		fields[i], columns[i] = arrow.Field{Name: "key", Type: arrow.BinaryTypes.String}, b.NewArray()
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, 1)
}
