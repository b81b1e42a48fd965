package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"leat/internal/auth"
	"leat/internal/bus"
	"leat/internal/bus/pebblelog"
	"leat/internal/catalog"
	"leat/internal/infer"
	"leat/internal/ingest"
	"leat/internal/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a log, a catalog in memory, and ingest between them.
type world struct {
	*ingest.Service
	log     *pebblelog.Log
	fences  *ingest.Fences
	backlog ingest.Backlog

	mu      sync.Mutex // guards the rest
	objects map[string]*catalog.Object
	next    types.ObjectID
}

func (w *world) ByName(name string) (*catalog.Object, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o, ok := w.objects[name]
	return o, ok
}

func (w *world) AutoStreams() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, o := range w.objects {
		if o.Auto {
			n++
		}
	}
	return n
}

func (w *world) put(o *catalog.Object) *catalog.Object {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.ID == 0 {
		w.next++
		o.ID = w.next
	}
	w.objects[o.Name] = o
	return o
}

func (w *world) Evolve(ctx context.Context, _ auth.Principal, name string, records [][]byte) (*catalog.Object, bool, error) {
	old, ok := w.ByName(name)
	if !ok {
		schema, _ := infer.Infer(records)
		if schema == nil || len(schema.Columns) == 0 {
			return nil, false, types.Errorf(types.InvalidRecord, "nothing to infer from")
		}
		w.mu.Lock()
		w.next++
		id := w.next
		w.mu.Unlock()
		defer w.fences.Write(id)() // as control does: others see the stream at once and wait for its log
		o := w.put(&catalog.Object{ID: id, Kind: catalog.StreamKind, Name: name, Auto: true, Stream: &catalog.Stream{Schema: schema, Partitions: 1}})
		return o, true, w.log.Configure(ctx, bus.StreamConfig{ID: o.ID, Partitions: 1})
	}
	defer w.fences.Write(old.ID)()
	old, _ = w.ByName(name)
	schema, grows := infer.Evolve(old.Stream.Schema, records)
	if !grows {
		return old, false, nil
	}
	return w.put(withSchema(old, schema)), false, nil
}

func (w *world) MarkWide(_ context.Context, id types.ObjectID, columns []int32) error {
	defer w.fences.Write(id)()
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, o := range w.objects {
		if o.ID == id {
			schema, _ := infer.MarkWide(o.Stream.Schema, columns)
			w.objects[name] = withSchema(o, schema)
		}
	}
	return nil
}

func withSchema(o *catalog.Object, s *types.Schema) *catalog.Object {
	c, st := *o, *o.Stream
	st.Schema, c.Stream = s, &st
	return &c
}

func (w *world) Wait(context.Context, types.Position) error { return nil }

// table defines a table or stream by hand.
func (w *world) define(t testing.TB, o *catalog.Object, columns ...string) *catalog.Object {
	t.Helper()
	s := &types.Schema{Version: 1}
	for i := 0; i < len(columns); i += 2 {
		typ, err := types.ParseType(columns[i+1])
		if err != nil {
			t.Fatal(err)
		}
		s.Add(columns[i], typ, columns[i])
	}
	o.Stream.Schema = s
	w.put(o)
	if err := w.log.Configure(t.Context(), bus.StreamConfig{ID: o.ID, Partitions: o.Stream.Partitions}); err != nil {
		t.Fatal(err)
	}
	return o
}

func newWorld(t testing.TB, fs vfs.FS, dir string, change func(*ingest.Config)) *world {
	t.Helper()
	log, err := pebblelog.Open(context.Background(), dir, pebblelog.Options{FS: fs, MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{log: log, fences: new(ingest.Fences), objects: map[string]*catalog.Object{}, next: 100}
	t.Cleanup(func() { _ = log.Close() })
	if err := log.Configure(context.Background(), bus.StreamConfig{ID: ingest.DeadLetterID, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	config := ingest.DefaultConfig()
	config.InFlightWait = 10 * time.Millisecond
	if change != nil {
		change(&config)
	}
	w.Service, err = ingest.New(ingest.Options{
		Config: config, Catalog: w, Schemas: w, Log: log, Waiter: w, Fences: w.fences,
		Backlog: func() ingest.Backlog { return w.backlog }, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func memWorld(t testing.TB) *world { return newWorld(t, vfs.NewMem(), "log", nil) }

func (w *world) send(stream, body string) (ingest.Result, error) {
	return w.Send(context.Background(), ingest.Request{Principal: auth.Local, Stream: stream, Body: strings.NewReader(body)})
}

func (w *world) must(t testing.TB, stream, body string) ingest.Result {
	t.Helper()
	r, err := w.send(stream, body)
	if err != nil {
		t.Fatalf("send to %s: %v", stream, err)
	}
	return r
}

// entries are all entries of a stream in the log, by partition and offset.
func (w *world) entries(t testing.TB, id types.ObjectID, partitions uint32) []*bus.Entry {
	t.Helper()
	var out []*bus.Entry
	for p := range partitions {
		for from := types.Offset(0); ; {
			got, err := w.log.Read(context.Background(), types.PartitionID{Stream: id, Index: p}, from, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				break
			}
			out, from = append(out, got...), got[len(got)-1].Next
		}
	}
	return out
}

// rows prints every row of a stream as "value|value".
func (w *world) rows(t testing.TB, name string) []string {
	t.Helper()
	o, ok := w.ByName(name)
	if !ok {
		return nil
	}
	return rowsOf(w.entries(t, o.ID, o.Stream.Partitions))
}

func rowsOf(entries []*bus.Entry) []string {
	var out []string
	for _, e := range entries {
		if e.Batch == nil {
			continue
		}
		for i := range e.Batch.Rows {
			var cells []string
			for _, c := range e.Batch.Columns {
				cells = append(cells, c.ValueStr(i))
			}
			sign := ""
			if e.Batch.Weight(i) < 0 {
				sign = "-"
			}
			out = append(out, sign+strings.Join(cells, "|"))
		}
	}
	return out
}

func wantCode(t testing.TB, err error, code types.Code) *types.Error {
	t.Helper()
	if e, ok := errors.AsType[*types.Error](err); ok && e.Code == code {
		return e
	}
	t.Fatalf("got error %v, want code %s", err, code)
	return nil
}

func repeat(n int, f func(i int) string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, f(i))
	}
	return b.String()
}
