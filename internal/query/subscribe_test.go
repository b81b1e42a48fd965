package query

import (
	"sync/atomic"
	"testing"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/engine/zset"
	"leat/internal/push"
	"leat/internal/types"
)

// oneColumn is a relation of BIGINTs whose changes a test publishes. It implements push.Source and push.Version.
type oneColumn struct{ sink push.Sink }

func (o *oneColumn) Watch(s push.Sink) (push.Version, error) { o.sink = s; return o, nil }
func (o *oneColumn) Unwatch(push.Sink)                       {}
func (o *oneColumn) Retain()                                 {}
func (o *oneColumn) Release()                                {}
func (o *oneColumn) Mark() push.Mark                         { return push.Mark{Watermark: types.NoWatermark} }
func (o *oneColumn) Rows() int64                             { return 0 }
func (o *oneColumn) Scan(*push.Filter, []byte, int) (*zset.Batch, []byte) {
	return nil, nil
}

func bigints(values ...int64) *zset.Batch {
	b := zset.NewBuilder([]types.Type{types.Of(types.BigInt)})
	for _, v := range values {
		b.AppendInt64(0, v)
		b.EndRow(1)
	}
	return b.Finish()
}

// A subscriber who waits while the column of its filter gets another name is not told of one more change by the old definition.
func TestChangesAreNotPickedByOldDefinitions(t *testing.T) {
	before := objects(t)
	o := before.ByName("t")
	w := &world{snapshot: before, live: []types.ObjectID{o.ID}}
	var now atomic.Pointer[catalog.Snapshot]
	now.Store(before)
	asked := make(chan struct{}, 100)
	source, hub := &oneColumn{}, push.New(push.Config{})
	s := New(Options{
		Catalog: func() *catalog.Snapshot {
			defer func() { asked <- struct{}{} }()
			return now.Load()
		}, Store: w, Guard: w, Waiter: loaderWait{w}, Live: engine{w}, Log: engine{w},
		Feeds: Feeds{
			Hub: hub,
			Relation: func(o *catalog.Object) (push.Source, push.Shape, error) {
				return source, push.Shape{Columns: o.Stream.Schema.Columns, Key: []int{0}}, nil
			},
			Value: func(types.Type, string) *zset.Vec { return bigints(7).Cols[0] },
		},
	})
	sub, err := s.Subscribe(t.Context(), SubscribeRequest{Principal: filtered(map[string]auth.Filter{"*": {{Column: "k", Value: "7"}}}), Relation: "t", NoSnapshot: true})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	source.sink.Published(source, bigints(7, 8))
	if e, err := sub.Next(t.Context()); err != nil || e.Kind != push.Changes || e.Rows.N != 1 {
		t.Fatalf("a change: %+v, %v", e, err)
	}
	type told struct {
		e   *Event
		err error
	}
	after := renamed(t, o)
	for len(asked) > 0 {
		<-asked
	}
	next := make(chan told)
	go func() {
		e, err := sub.Next(t.Context())
		next <- told{e, err}
	}()
	<-asked // it has looked at the definitions, and waits
	now.Store(after)
	source.sink.Published(source, bigints(7))
	if got := <-next; !types.HasCode(got.err, types.PermissionDenied) {
		t.Errorf("got %+v, %v", got.e, got.err)
	}
}

// renamed are definitions with a table alone, whose only column has another name.
func renamed(t *testing.T, table *catalog.Object) *catalog.Snapshot {
	t.Helper()
	c, err := catalog.Open(t.TempDir(), catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	schema := &types.Schema{Version: 2}
	schema.Add("j", types.Of(types.BigInt))
	for range 9 { // another version than the first definitions have
		if _, err = c.Update(t.Context(), func(tx *catalog.Tx) error {
			for tx.NewID() < table.ID {
			}
			o := *table
			o.Stream = &catalog.Stream{Schema: schema, Partitions: 1, PrimaryKey: []int32{schema.Columns[0].ID}}
			return tx.Put(&o)
		}); err != nil {
			t.Fatal(err)
		}
	}
	return c.Snapshot()
}
