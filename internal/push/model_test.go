package push

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var background = context.Background()

func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if s := os.Getenv("SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// row is a row of the tests' relation: a key, a group and a value.
type row struct {
	key, group int64
	value      string
}

// bag has rows with their weights; an immutable one is a version's.
type bag map[row]int64

func (b bag) add(r row, w int64) {
	if b[r] += w; b[r] == 0 {
		delete(b, r)
	}
}

func (b bag) String() string {
	var out []string
	for r, w := range b {
		out = append(out, fmt.Sprint(r, "*", w))
	}
	slices.Sort(out)
	return fmt.Sprint(out)
}

func (b bag) only(f *Filter) bag {
	return unbatch(f.Keep(batch(b)))
}

var columns = []types.Column{
	{ID: 1, Name: "key", Type: types.Of(types.BigInt)}, {ID: 2, Name: "group", Type: types.Of(types.BigInt)}, {ID: 3, Name: "value", Type: types.Of(types.Varchar)},
}

// batch makes rows of a bag, in no order.
func batch(b bag) *zset.Batch {
	out := zset.NewBuilder(columnTypes(columns))
	for r, w := range b {
		out.AppendInt64(0, r.key)
		if r.group < 0 {
			out.AppendNull(1)
		} else {
			out.AppendInt64(1, r.group)
		}
		out.AppendBytes(2, []byte(r.value))
		out.EndRow(w)
	}
	return out.Finish()
}

func unbatch(b *zset.Batch) bag {
	out := bag{}
	for i := range b.Rows() {
		r := row{key: b.Cols[0].I64[i], group: -1, value: string(b.Cols[2].Bytes(i))}
		if !b.Cols[1].Null(i) {
			r.group = b.Cols[1].I64[i]
		}
		out.add(r, b.Weight(i))
	}
	return out
}

// relation is a source whose versions are all remembered.
type relation struct {
	keyed bool
	open  atomic.Int64  // versions that are retained
	slow  time.Duration // of one scan

	mu   sync.Mutex
	rows bag
	at   types.Offset
	sink Sink
	// history has the rows at each position.
	history map[types.Offset]bag
}

func newRelation(keyed bool) *relation {
	return &relation{keyed: keyed, rows: bag{}, history: map[types.Offset]bag{0: {}}}
}

func (r *relation) shape() Shape {
	if r.keyed {
		return Shape{Columns: columns, Key: []int{0}}
	}
	return Shape{Columns: columns}
}

// version is one of a relation's.
type version struct {
	of   *relation
	rows bag
	at   types.Offset
}

func (v version) Retain()  { v.of.open.Add(1) }
func (v version) Release() { v.of.open.Add(-1) }

func (v version) Mark() Mark {
	return Mark{Position: types.Position{Incarnation: 7, Cursors: []types.Cursor{{Next: v.at}}}, Watermark: types.NoWatermark}
}

func (v version) Rows() (n int64) {
	for _, w := range v.rows {
		n += w
	}
	return n
}

func (v version) Scan(f *Filter, from []byte, limit int) (*zset.Batch, []byte) {
	rows := slices.SortedFunc(maps.Keys(v.rows), func(a, b row) int { return slices.Compare([]byte(fmt.Sprint(a)), []byte(fmt.Sprint(b))) })
	time.Sleep(v.of.slow)
	start := 0
	if from != nil {
		_, _ = fmt.Sscan(string(from), &start)
	}
	page := bag{}
	end := min(start+1+limit/40, len(rows))
	for _, r := range rows[start:end] {
		page[r] = v.rows[r]
	}
	if end == len(rows) {
		return f.Keep(batch(page)), nil
	}
	return f.Keep(batch(page)), []byte(fmt.Sprint(end))
}

func (r *relation) Watch(s Sink) (Version, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sink = s
	v := version{r, r.rows, r.at}
	v.Retain()
	return v, nil
}

func (r *relation) Unwatch(s Sink) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sink == s {
		r.sink = nil
	}
}

// change publishes a version with a random change, maybe of nothing.
func (r *relation) change(rnd *rand.Rand, n int) {
	delta, next := bag{}, maps.Clone(r.rows)
	put := func(x row, w int64) {
		delta.add(x, w)
		next.add(x, w)
	}
	for range rnd.IntN(n + 1) {
		x := row{rnd.Int64N(12), rnd.Int64N(4) - 1, fmt.Sprint(rnd.IntN(3))}
		if r.keyed {
			was := slices.Collect(maps.Keys(next))
			i := slices.IndexFunc(was, func(o row) bool { return o.key == x.key })
			if i >= 0 {
				put(was[i], -1)
			}
			if i < 0 || rnd.IntN(3) > 0 {
				put(x, 1)
			}
			continue
		}
		if w := rnd.Int64N(5) - 2; next[x]+w >= 0 {
			put(x, w)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at++
	r.rows = next
	r.history[r.at] = next
	if r.sink != nil {
		r.sink.Published(version{r, next, r.at}, batch(delta))
	}
}

// restart ends the feed, as a pipeline does that is opened again.
func (r *relation) restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sink != nil {
		r.sink.Ended("a test")
		r.sink = nil
	}
}

// client replays what a subscriber is told, and compares it with the history.
type client struct {
	*testing.T
	r      *rand.Rand
	hub    *Hub
	of     *relation
	filter Filter
	state  bag
	// pending is set while a snapshot is not complete.
	pending         bool
	from            string
	resumed, resets int
	progressed      int
}

func (c *client) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			c.follow(stop, 1<<20, true)
			return
		default:
			c.follow(stop, 1+c.r.IntN(60), false)
		}
	}
}

// follow subscribes, takes so many events and leaves; last goes on until nothing more comes.
func (c *client) follow(stop <-chan struct{}, events int, last bool) {
	s, err := c.hub.Subscribe("relation", c.of.shape(), func() Source { return c.of }, Options{Who: "me", Filter: c.filter, From: c.from, Limit: 1 << 30, Idle: 15 * time.Second})
	if _, over := errors.AsType[*Over](err); over {
		time.Sleep(time.Millisecond)
		return
	}
	if err != nil {
		c.Error(err)
		return
	}
	defer s.Close()
	if c.from == "" {
		c.state, c.pending = bag{}, true
	} else {
		c.resumed++
	}
	for range events {
		ctx, cancel := context.WithTimeout(background, 20*time.Second)
		e, err := s.Next(ctx)
		cancel()
		if err != nil {
			if _, over := errors.AsType[*Over](err); over {
				c.from = ""
			}
			return
		}
		if e.Kind == Idle && last {
			return
		}
		c.take(e)
		if c.r.IntN(10) == 0 {
			time.Sleep(time.Duration(c.r.IntN(400)) * time.Millisecond) // a slow reader
		}
	}
}

func (c *client) take(e *Event) {
	switch e.Kind {
	case Reset:
		c.state, c.pending, c.from = bag{}, true, ""
		c.resets++
		return
	case Snapshot:
		if !c.pending {
			c.Error("a snapshot without a reset")
		}
		for r, w := range unbatch(e.Rows) {
			c.state.add(r, w)
		}
		c.pending = !e.Last
	case Changes:
		if c.pending || e.Rows == nil {
			c.Errorf("changes %v within a snapshot, or none", e.Rows)
		}
		for r, w := range unbatch(e.Rows) {
			c.state.add(r, w)
		}
	case Progress:
		c.progressed++
	case Idle:
		return
	}
	if e.ID == "" {
		return
	}
	c.from = e.ID
	c.of.mu.Lock()
	want := c.of.history[e.Position.Cursors[0].Next].only(&c.filter)
	c.of.mu.Unlock()
	if want.String() != c.state.String() {
		c.Errorf("after %v at %v: %v, want %v", e.Kind, e.Position, c.state, want)
	}
}

// Whatever subscribers do, what they were told adds up to the relation at every id.
func TestReplayEqualsTheRelation(t *testing.T) {
	for name, keyed := range map[string]bool{"keyed": true, "bag": false} {
		t.Run(name, func(t *testing.T) {
			r := seeded(t)
			synctest.Test(t, func(t *testing.T) {
				of := newRelation(keyed)
				hub := New(Config{})
				ctx, end := context.WithCancel(background)
				ran := make(chan error)
				go func() { ran <- hub.Run(ctx) }()
				stop := make(chan struct{})
				var all sync.WaitGroup
				var clients []*client
				for i := range 18 {
					f := Filter{}
					switch i % 6 {
					case 1, 2:
						f = NewFilter([]Match{{1, int64Vec(r.Int64N(4) - 1)}})
					case 3:
						f = NewFilter([]Match{{2, textVec("1")}, {1, int64Vec(1)}})
					case 4:
						f = NewFilter([]Match{{0, int64Vec(r.Int64N(12))}})
					case 5:
						f = NewFilter([]Match{{1, int64Vec(1)}, {1, int64Vec(2)}})
					}
					c := &client{T: t, r: rand.New(rand.NewPCG(r.Uint64(), 0)), hub: hub, of: of, filter: f}
					clients = append(clients, c)
					all.Go(func() { c.run(stop) })
				}
				for i := range 600 {
					of.change(r, 6)
					if i%100 == 99 {
						of.change(r, 0)
						time.Sleep(1200 * time.Millisecond)
					}
					if i%200 == 199 {
						of.restart()
					}
					if r.IntN(3) == 0 {
						time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
					}
				}
				close(stop)
				all.Wait()
				total := client{}
				for _, c := range clients {
					total.resumed += c.resumed
					total.resets += c.resets
					total.progressed += c.progressed
					if want := of.rows.only(&c.filter); c.state.String() != want.String() {
						t.Errorf("at the end: %v, want %v", c.state, want)
					}
				}
				t.Logf("%d resumed, %d resets, %d times progress, %d steps conflated", total.resumed, total.resets, total.progressed, hub.conflated.Load())
				if total.resumed == 0 || total.progressed == 0 || hub.conflated.Load() == 0 {
					t.Error("the test did not meet what it is for")
				}
				end()
				if err := <-ran; err != nil {
					t.Error(err)
				}
				if n := of.open.Load(); n != 0 || hub.bytes.Load() != 0 || hub.subscribers != 0 {
					t.Errorf("%d versions, %d bytes, %d subscribers were kept", n, hub.bytes.Load(), hub.subscribers)
				}
			})
		})
	}
}

func int64Vec(n int64) *zset.Vec {
	if n < 0 {
		return zset.Nulls(types.Of(types.BigInt), 1)
	}
	return &zset.Vec{Type: types.Of(types.BigInt), Len: 1, I64: []int64{n}}
}

func textVec(s string) *zset.Vec {
	return &zset.Vec{Type: types.Of(types.Varchar), Len: 1, Off: []int32{0, int32(len(s))}, Data: []byte(s)}
}
