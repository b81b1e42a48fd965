package push

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func (r *relation) put(rows bag) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := bag{}
	for x, w := range r.rows {
		next.add(x, w)
	}
	for x, w := range rows {
		next.add(x, w)
	}
	r.at++
	r.rows, r.history[r.at] = next, next
	if r.sink != nil {
		r.sink.Published(version{r, next, r.at}, batch(rows))
	}
}

// world is a hub over one relation, within a bubble.
func world(t *testing.T, c Config, f func(t *testing.T, h *Hub, r *relation)) {
	synctest.Test(t, func(t *testing.T) {
		h, r := New(c), newRelation(true)
		ctx, end := context.WithCancel(background)
		ran := make(chan error)
		go func() { ran <- h.Run(ctx) }()
		defer func() {
			end()
			if err := <-ran; err != nil {
				t.Error(err)
			}
		}()
		f(t, h, r)
		end()
		h.wg.Wait()
		if n := r.open.Load(); n != 0 || h.bytes.Load() != 0 {
			t.Errorf("%d versions, %d bytes were kept", n, h.bytes.Load())
		}
	})
}

func (r *relation) subscribe(t *testing.T, h *Hub, o Options) *Subscriber {
	t.Helper()
	if o.Limit == 0 {
		o.Limit = 1 << 20
	}
	s, err := h.Subscribe("relation", r.shape(), func() Source { return r }, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func next(t *testing.T, s *Subscriber, want Kind) *Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	e, err := s.Next(ctx)
	if err != nil || e.Kind != want {
		t.Fatalf("%+v, %v; want kind %d", e, err, want)
	}
	return e
}

func TestWhoFallsOffTheRingIsTold(t *testing.T) {
	world(t, Config{}, func(t *testing.T, h *Hub, r *relation) {
		s := r.subscribe(t, h, Options{})
		defer s.Close()
		next(t, s, Snapshot)
		big := strings.Repeat("x", 1<<20)
		for i := range int64(12) {
			r.put(bag{row{i, 0, big}: 1})
		}
		synctest.Wait()
		if got := h.bytes.Load(); got > feedBytes || got < feedBytes/2 {
			t.Errorf("the ring has %d bytes", got)
		}
		_, err := s.Next(background)
		over, ok := errors.AsType[*Over](err)
		if !ok || !over.Slow {
			t.Fatalf("%v", err)
		}
		// A filter whose rows are in none of the lost steps loses nothing, but nobody knows that.
		again := r.subscribe(t, h, Options{From: s.feed.id(s.group, 3, Mark{})})
		defer again.Close()
		if e := next(t, again, Reset); !strings.Contains(e.Reason, "not kept") {
			t.Error(e.Reason)
		}
		next(t, again, Snapshot)
	})
}

func TestManyStepsBecomeTheNetChange(t *testing.T) {
	world(t, Config{}, func(t *testing.T, h *Hub, r *relation) {
		s := r.subscribe(t, h, Options{})
		defer s.Close()
		next(t, s, Snapshot)
		r.put(bag{row{1, 0, "a"}: 1})
		for i := range int64(50) {
			r.put(bag{row{2, i, "b"}: 1})
			r.put(bag{row{2, i, "b"}: -1})
		}
		synctest.Wait()
		if e := next(t, s, Changes); e.Rows.N != 1 || e.Position.Cursors[0].Next != 101 {
			t.Errorf("%d rows at %v", e.Rows.N, e.Position)
		}
		// What is nothing in sum is told as progress.
		for i := range int64(50) {
			r.put(bag{row{2, i, "b"}: 1})
			r.put(bag{row{2, i, "b"}: -1})
		}
		synctest.Wait()
		if e := next(t, s, Progress); e.Position.Cursors[0].Next != 201 {
			t.Errorf("%v", e.Position)
		}
	})
}

func TestReadersAreCountedAndBounded(t *testing.T) {
	world(t, Config{MaxSubscribers: 4}, func(t *testing.T, h *Hub, r *relation) {
		var all []*Subscriber
		try := func(o Options) error {
			o.Limit = 100
			s, err := h.Subscribe("relation", r.shape(), func() Source { return r }, o)
			if err == nil {
				all = append(all, s)
			}
			return err
		}
		for i, want := range []struct {
			o    Options
			fine bool
		}{{Options{Who: "a", Max: 1}, true}, {Options{Who: "a", Max: 1}, false}, {Options{Who: "a"}, true}, {Options{Who: "a"}, false},
			{Options{Who: "b"}, true}, {Options{Who: "c"}, true}, {Options{Who: "d"}, false}} {
			if err := try(want.o); (err == nil) != want.fine || err != nil && !types.HasCode(err, types.TooManyRequests) {
				t.Errorf("%d: %v", i, err)
			}
		}
		h.mu.Lock()
		n := h.subscribers
		h.mu.Unlock()
		if n != 4 || h.Metrics().Rejected != 3 {
			t.Errorf("%d subscribers, %d refused", n, h.Metrics().Rejected)
		}
		for _, s := range all {
			s.Close()
		}
	})
}

func TestSnapshotsAreBounded(t *testing.T) {
	world(t, Config{}, func(t *testing.T, h *Hub, r *relation) {
		for i := range int64(9) {
			r.put(bag{row{i, i % 2, "x"}: 1})
		}
		if _, err := h.Subscribe("relation", r.shape(), func() Source { return r }, Options{Limit: 8}); !types.HasCode(err, types.LimitExceeded) {
			t.Errorf("%v", err)
		}
		some := NewFilter([]Match{{1, int64Vec(0)}})
		fits := r.subscribe(t, h, Options{Limit: 5, Filter: some})
		rows := 0
		for e := next(t, fits, Snapshot); ; e = next(t, fits, Snapshot) {
			if rows += e.Rows.Rows(); e.Last {
				break
			}
		}
		fits.Close()
		if rows != 5 {
			t.Errorf("%d rows", rows)
		}
		tooMany := r.subscribe(t, h, Options{Limit: 4, Filter: some})
		defer tooMany.Close()
		var err error
		for err == nil {
			_, err = tooMany.Next(background)
		}
		if !types.HasCode(err, types.LimitExceeded) {
			t.Error(err)
		}
	})
}

// A row that is there a million times comes in parts.
func TestHeavyRowsComeInParts(t *testing.T) {
	world(t, Config{}, func(t *testing.T, h *Hub, r *relation) {
		r.keyed = false
		r.put(bag{row{1, 1, "x"}: 2500, row{2, 1, "y"}: 3})
		s := r.subscribe(t, h, Options{})
		defer s.Close()
		var sizes []int64
		sum := bag{}
		for {
			e := next(t, s, Snapshot)
			n := int64(0)
			for x, w := range unbatch(e.Rows) {
				n += w
				sum.add(x, w)
			}
			if n > 0 {
				sizes = append(sizes, n)
			}
			if e.Last {
				break
			}
		}
		if slices.Max(sizes) > pageRows || sum.String() != r.rows.String() {
			t.Errorf("%v: %v", sizes, sum)
		}
	})
}

func TestFeedsLingerAndEnd(t *testing.T) {
	world(t, Config{}, func(t *testing.T, h *Hub, r *relation) {
		s := r.subscribe(t, h, Options{NoSnapshot: true})
		r.put(bag{row{1, 1, "x"}: 1})
		e := next(t, s, Changes)
		s.Close()
		r.put(bag{row{2, 1, "x"}: 1})
		time.Sleep(linger / 2)
		s = r.subscribe(t, h, Options{From: e.ID})
		if e := next(t, s, Changes); unbatch(e.Rows)[row{2, 1, "x"}] != 1 {
			t.Error("the change between was lost")
		}
		s.Close()
		time.Sleep(2 * linger)
		synctest.Wait()
		if m := h.Metrics(); m.Feeds != 0 || m.RingBytes != 0 || r.open.Load() != 0 {
			t.Errorf("%+v", m)
		}
		s = r.subscribe(t, h, Options{From: e.ID})
		next(t, s, Reset)
		s.Close()
		// Another shape ends the feed.
		s = r.subscribe(t, h, Options{NoSnapshot: true})
		other, err := h.Subscribe("relation", Shape{Columns: columns[:2]}, func() Source { return newRelation(true) }, Options{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Next(background); err == nil {
			t.Error("the feed of the old shape goes on")
		}
		s.Close()
		h.Stop()
		if _, err := other.Next(background); err != nil { // the snapshot that was begun
			t.Error(err)
		}
		if _, err := other.Next(background); err == nil || !h.Stopped() {
			t.Error("a stopped hub goes on")
		}
		other.Close()
		<-h.Left()
		if _, err := h.Subscribe("relation", r.shape(), func() Source { return r }, Options{}); !types.HasCode(err, types.Unavailable) {
			t.Error(err)
		}
	})
}

func TestIDs(t *testing.T) {
	x := id{nonce: 1<<63 + 5, seq: 300, filter: 77, position: types.Position{Incarnation: 9, Cursors: []types.Cursor{{Partition: types.PartitionID{Stream: 5, Index: 1}, Next: 1 << 40}}}}
	old, err := os.ReadFile(filepath.Join("testdata", "id"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(old)); got != x.String() {
		t.Errorf("the form of ids has changed: %s, was %s", x, got)
	}
	got, err := parseID(x.String())
	if err != nil || got.nonce != x.nonce || got.seq != x.seq || got.filter != x.filter {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "x", x.String()[1:], x.String()[:20], x.String() + "AAAA", (types.Position{Incarnation: 3}).Token()} {
		if err := CheckID(bad); !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzID(f *testing.F) {
	f.Add(id{nonce: 5, seq: 1 << 40}.String())
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		if x, err := parseID(token); err == nil && x.seq > 0 && x.nonce == 0 {
			t.Skip()
		}
	})
}

// The forms on the wire are golden.
func TestForms(t *testing.T) {
	odd := bag{row{1, -1, "a\n\"b\""}: 1}
	mark := Mark{Position: types.Position{Incarnation: 1}, Watermark: 1_700_000_000_000_001}
	keyed, bare := Shape{Columns: columns, Key: []int{0}}, Shape{Columns: columns}
	ordered := func(rows ...any) *zset.Batch {
		b := zset.NewBuilder(columnTypes(columns))
		for i := 0; i < len(rows); i += 2 {
			b.Append(batch(bag{rows[i].(row): 1}), 0, int64(rows[i+1].(int)))
		}
		return b.Finish()
	}
	events := []*Event{
		{Kind: Snapshot, Shape: keyed, Rows: batch(odd)},
		{Kind: Snapshot, Shape: bare, Rows: ordered(row{1 << 60, 2, "x"}, 2), Last: true, ID: "ID1", Mark: mark},
		{Kind: Snapshot, Shape: keyed, Last: true, ID: "ID2", Mark: Mark{Watermark: types.NoWatermark}},
		{Kind: Changes, Shape: keyed, Rows: ordered(row{1, 1, "old"}, -1, row{2, 1, "gone"}, -1, row{1, 1, "new"}, 1, row{3, 1, "come"}, 1), ID: "ID3"},
		{Kind: Changes, Shape: keyed, Rows: ordered(row{2, 1, "gone"}, -1), ID: "ID4"},
		{Kind: Changes, Shape: Shape{Columns: columns, Key: []int{}}, Rows: ordered(row{2, 1, "one"}, -1, row{3, 1, "two"}, 1), ID: "ID5"},
		{Kind: Changes, Shape: bare, Rows: ordered(row{1, 1, "x"}, 2, row{2, 1, "y"}, -3), ID: "ID6"},
		{Kind: Progress, Shape: keyed, ID: "ID7", Mark: mark, Lag: 1500 * time.Microsecond},
		{Kind: Reset, Reason: "a reason"},
		{Kind: Idle},
	}
	var out strings.Builder
	for _, f := range []Form{{}, {Messages: true}, {Int64AsString: true}, {Messages: true, Int64AsString: true}} {
		for _, e := range events {
			for _, text := range e.Encoded(f) {
				out.Write(text)
				if f.Messages {
					out.WriteByte('\n')
				}
			}
		}
		for _, err := range []error{types.Errorf(types.NotFound, "it has gone").WithHint("look"), types.Errorf(types.Internal, "secret")} {
			for _, text := range EncodeError(f, err) {
				out.Write(text)
			}
			out.WriteByte('\n')
		}
	}
	path := filepath.Join("testdata", "forms.txt")
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != out.String() {
		t.Errorf("%v; got\n%s", err, out.String())
	}
}
