package pebblelog

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"leat/internal/bus"
	"leat/internal/bus/bustest"
	"leat/internal/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func mustOpen(t testing.TB, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(ctx, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// configured opens a log with stream 10.
func configured(t testing.TB, dir string, o Options, partitions uint32) *Log {
	t.Helper()
	l := mustOpen(t, dir, o)
	if err := l.Configure(ctx, bus.StreamConfig{ID: 10, Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	return l
}

func appendOne(part uint32, b *types.Batch) *bus.Append {
	return &bus.Append{Parts: []bus.Part{{Partition: types.PartitionID{Stream: 10, Index: part}, Batch: b}}}
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]Options{"tail": {}, "stored": {TailBytes: -1}, "small": {TailBytes: 4096, QueueLength: 2, MemTableBytes: 1 << 20}} {
		t.Run(name, func(t *testing.T) {
			bustest.Run(t, func(t *testing.T) bustest.Harness {
				c, o := newClock(), o
				o.FS, o.Now = vfs.NewMem(), c.Now
				l := mustOpen(t, "log", o)
				return bustest.Harness{
					Log: l, Now: c.Now,
					Advance: func(d time.Duration) {
						c.advance(d)
						if err := l.Tick(ctx); err != nil {
							t.Fatal(err)
						}
					},
					Reopen: func() bus.Log {
						closeLog(t, l)
						l = mustOpen(t, "log", o)
						return l
					},
				}
			})
		})
	}
}

var intSchema = func() *types.Schema {
	s := &types.Schema{Version: 1}
	s.Add("n", types.Of(types.BigInt), "n")
	return s
}()

// intBatch is a batch of one column.
func intBatch(values ...int64) *types.Batch {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.AppendValues(values, nil)
	return &types.Batch{Schema: intSchema, Columns: []arrow.Array{b.NewArray()}, Rows: len(values)}
}

// startRun runs l.Run and returns where its error comes out and how to end it.
func startRun(t *testing.T, l *Log) (<-chan error, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan error, 1)
	go func() { out <- l.Run(ctx) }()
	return out, cancel
}
