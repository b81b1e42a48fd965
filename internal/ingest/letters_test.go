package ingest_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/ingest"
	"leat/internal/types"
)

// logReader answers the SELECTs of DeadLetters from the log: all current letters after the one that the condition names.
type logReader struct {
	t testing.TB
	w *world
}

var afterID = regexp.MustCompile(`id > '([0-9a-f-]+)'`)

func (l logReader) Select(_ context.Context, sql string, visit func(arrow.RecordBatch) error) error {
	if strings.Contains(sql, "GROUP BY") {
		return nil
	}
	after := ""
	if m := afterID.FindStringSubmatch(sql); m != nil {
		after = m[1]
	}
	letters := map[string][]any{}
	for _, e := range l.w.entries(l.t, ingest.DeadLetterID, 1) {
		for i := range e.Batch.Rows {
			id, _ := uuid.FromBytes(e.Batch.Columns[0].(*array.FixedSizeBinary).Value(i))
			if e.Batch.Weight(i) < 0 {
				delete(letters, id.String())
				continue
			}
			b := e.Batch.Columns
			letters[id.String()] = []any{
				id.String(), b[1].(*array.Uint64).Value(i), b[2].ValueStr(i), int64(b[3].(*array.Timestamp).Value(i)), b[4].ValueStr(i), b[5].ValueStr(i),
				b[6].ValueStr(i), b[7].ValueStr(i), int64(0), int64(0), b[10].(*array.Binary).Value(i), b[11].(*array.Boolean).Value(i), b[12].ValueStr(i), b[13].ValueStr(i),
			}
		}
	}
	var ids []string
	for id := range letters {
		if id > after {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		row := letters[id]
		if !strings.Contains(sql, "stream_id") || strings.HasPrefix(sql, "SELECT id::VARCHAR FROM") {
			row = row[:1]
		}
		if err := visit(record(row...)); err != nil {
			return err
		}
	}
	return nil
}

// record is a record of one row.
func record(values ...any) arrow.RecordBatch {
	var fields []arrow.Field
	var columns []arrow.Array
	for i, v := range values {
		var b array.Builder
		switch v := v.(type) {
		case string:
			b = array.NewStringBuilder(memory.DefaultAllocator)
			b.(*array.StringBuilder).Append(v)
		case int64:
			b = array.NewInt64Builder(memory.DefaultAllocator)
			b.(*array.Int64Builder).Append(v)
		case uint64:
			b = array.NewUint64Builder(memory.DefaultAllocator)
			b.(*array.Uint64Builder).Append(v)
		case float64:
			b = array.NewFloat64Builder(memory.DefaultAllocator)
			b.(*array.Float64Builder).Append(v)
		case bool:
			b = array.NewBooleanBuilder(memory.DefaultAllocator)
			b.(*array.BooleanBuilder).Append(v)
		case []byte:
			b = array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
			b.(*array.BinaryBuilder).Append(v)
		case nil:
			b = array.NewNullBuilder(memory.DefaultAllocator)
			b.AppendNull()
		}
		columns = append(columns, b.NewArray())
		fields = append(fields, arrow.Field{Name: fmt.Sprint("c", i), Type: columns[i].DataType(), Nullable: true})
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, 1)
}

func TestReplayAfterMendingMakesNoDuplicates(t *testing.T) {
	w := memWorld(t)
	o := w.define(t, &catalog.Object{Kind: catalog.StreamKind, Name: "s", Stream: &catalog.Stream{Partitions: 2}}, "n", "INTEGER", "k", "VARCHAR")
	d := ingest.NewDeadLetters(w.Service, logReader{t, w})
	w.must(t, "s", `{"n":1}`+"\n"+`{"n":"abc","k":"mend me"}`+"\n"+`{"n":"def"`)
	csv := ingest.Request{Principal: auth.Local, Stream: "s", ContentType: "text/csv", Body: strings.NewReader("k,n\nfrom csv,xyz\n")}
	if r, err := w.Send(t.Context(), csv); err != nil || r.DeadLetters != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	list, err := d.List(t.Context(), auth.Local, "s", ingest.Filter{}, 0)
	if err != nil || len(list) != 3 || string(list[0].Raw) != `{"n":"abc","k":"mend me"}` || list[0].StreamID != o.ID {
		t.Fatalf("got %+v, %v", list, err)
	}
	if r, err := d.Replay(t.Context(), auth.Local, ingest.Replay{Stream: "s"}); err != nil || r.Replayed != 0 || r.Failed != 3 || len(r.FirstErrors) != 3 {
		t.Fatalf("got %+v, %v", r, err)
	}
	release := w.fences.Write(o.ID)
	schema := o.Stream.Schema.Clone()
	schema.Version++
	schema.Columns[0].Type = types.Of(types.Varchar)
	w.put(withSchema(o, schema))
	release()
	for i, want := range []ingest.Replayed{{Replayed: 2, Failed: 1, Rows: 2}, {Failed: 1}} {
		r, err := d.Replay(t.Context(), auth.Local, ingest.Replay{Stream: "s"})
		if err != nil || r.Replayed != want.Replayed || r.Failed != want.Failed || r.Rows != want.Rows {
			t.Fatalf("replay %d: got %+v, %v", i, r, err)
		}
	}
	if rows := w.rows(t, "s"); len(rows) != 3 {
		t.Fatalf("got %q", rows)
	}
	if n, err := d.Purge(t.Context(), auth.Local, "s", ingest.Filter{}); err != nil || n != 1 {
		t.Fatalf("purged %d, %v", n, err)
	}
	if list, err = d.List(t.Context(), auth.Local, "s", ingest.Filter{}, 0); err != nil || len(list) != 0 {
		t.Fatalf("left: %+v, %v", list, err)
	}
	_, err = d.List(t.Context(), auth.Principal{}, "s", ingest.Filter{}, 0)
	wantCode(t, err, types.PermissionDenied)
}

func TestReplayOfAnEditedRecord(t *testing.T) {
	w := memWorld(t)
	w.must(t, "s", `{"n":1}`+"\n"+`{"n":2`)
	d := ingest.NewDeadLetters(w.Service, logReader{t, w})
	list, err := d.List(t.Context(), auth.Local, "s", ingest.Filter{}, 0)
	if err != nil || len(list) != 1 {
		t.Fatalf("got %+v, %v", list, err)
	}
	req := ingest.Replay{Stream: "s", Filter: ingest.Filter{IDs: []uuid.UUID{list[0].ID}}, Raw: []byte(`{"n":2}`)}
	if r, err := d.Replay(t.Context(), auth.Local, req); err != nil || r.Replayed != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	_, err = d.Replay(t.Context(), auth.Local, req)
	wantCode(t, err, types.NotFound)
	if rows := w.rows(t, "s"); !slices.Equal(rows, []string{"1", "2"}) {
		t.Fatalf("got %q", rows)
	}
}
