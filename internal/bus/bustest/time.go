package bustest

import (
	"slices"
	"testing"
	"time"

	"leat/internal/types"
)

const (
	second = int64(1e6)
	minute = 60 * second
)

// watermarks returns the watermark stamped on each row and set by each mark.
func (f *fixture) watermarks(i uint32) []int64 {
	f.Helper()
	var out []int64
	for _, r := range runs(f.read(part(i), 0)) {
		out = append(out, r.Watermark)
	}
	return out
}

func (f *fixture) wantWatermarks(i uint32, want ...int64) {
	f.Helper()
	if got := f.watermarks(i); !slices.Equal(got, want) {
		f.Fatalf("watermarks of partition %d are %v, want %v", i, got, want)
	}
}

func testWatermark(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{Column: 1, Watermarked: true, Delay: 5 * time.Second})
	now := f.Now().UnixMicro()
	f.put(0, Timed(0, NullTime))
	f.put(0, Timed(1, now-20*second, now-10*second)) // both rows of one append see the watermark before it
	f.put(0, Timed(3, now-60*second))                // late: the watermark stays
	f.put(0, Timed(4, NullTime, now))
	f.Log = f.Reopen()
	f.put(0, Timed(6, now))
	none, a, b := types.NoWatermark, now-15*second, now-5*second
	f.wantWatermarks(0, none, none, none, a, a, a, b)
	if got, err := f.Log.Bounds(part(0)); err != nil || got.Watermark != b {
		t.Fatalf("%+v, %v", got, err)
	}
}

func testFuture(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{Column: 1, Watermarked: true})
	now := f.Now().UnixMicro()
	f.put(0, Timed(0, now+61*minute)) // too far ahead by default
	f.put(0, Timed(1, now+59*minute, now+70*minute))
	f.put(0, Timed(3, now))
	f.configure(1, types.TimeRule{Column: 1, Watermarked: true, MaxFuture: 2 * time.Hour})
	f.put(0, Timed(4, now+70*minute))
	f.put(0, Timed(5, now))
	none := types.NoWatermark
	f.wantWatermarks(0, none, none, none, now+59*minute, now+59*minute, now+70*minute)
}

func testMarkByAge(t *testing.T, f *fixture) {
	f.configure(2, types.TimeRule{Column: 1, Watermarked: true, Delay: 2 * time.Second})
	f.Advance(time.Minute) // no rows: no mark
	now := f.Now().UnixMicro()
	f.put(0, Timed(0, now-30*second, now-3*second))
	f.Advance(9 * time.Second)
	f.wantWatermarks(0, types.NoWatermark, types.NoWatermark)
	f.Advance(time.Second) // 10 s of silence: now-5 s is more than (now+10) - 30 - 2 s
	f.wantWatermarks(0, types.NoWatermark, types.NoWatermark)
	f.Advance(20 * time.Second)
	f.Advance(20 * time.Second)
	f.wantWatermarks(0, types.NoWatermark, types.NoWatermark, now-2*second, now+18*second)
	f.put(0, Timed(2, now+50*second))
	f.wantWatermarks(0, types.NoWatermark, types.NoWatermark, now-2*second, now+18*second, now+18*second)
	f.wantWatermarks(1, now-2*second, now+18*second) // an empty partition does not hold back the other
	f.configure(2, types.TimeRule{Column: 1, Watermarked: true, Idle: -1})
	f.Advance(time.Hour)
	f.wantWatermarks(0, types.NoWatermark, types.NoWatermark, now-2*second, now+18*second, now+18*second)
}

func testMarkByOthers(t *testing.T, f *fixture) {
	f.configure(3, types.TimeRule{Column: 1, Watermarked: true})
	now := f.Now().UnixMicro()
	f.put(0, Timed(0, now-3600*second))
	f.put(2, Timed(0, now-3000*second)) // falls silent too: not active
	f.Advance(8 * time.Second)
	f.put(1, Timed(0, now-40*second))
	f.Advance(2 * time.Second)
	f.wantWatermarks(0, types.NoWatermark, now-40*second)
	f.wantWatermarks(2, types.NoWatermark, now-40*second)
	f.wantWatermarks(1, types.NoWatermark)
}

// A partition whose keys never come must not hold back its stream.
func testMarkOfEmptyPartition(t *testing.T, f *fixture) {
	f.configure(2, types.TimeRule{Column: 1, Watermarked: true})
	now := f.Now().UnixMicro()
	f.put(0, Timed(0, now))
	f.Advance(6 * time.Second)
	f.put(0, Timed(1, now+6*second))
	f.Advance(3 * time.Second)
	if got := f.read(part(1), 0); len(got) != 0 {
		t.Fatalf("%d entries before 10 s", len(got))
	}
	f.put(0, Timed(2, now+9*second))
	f.Advance(7 * time.Second)
	f.put(0, Timed(3, now+16*second))
	f.put(1, Timed(4, now+8*second))
	f.wantWatermarks(1, now+9*second, now+9*second)
}

func testMarkAfterReopen(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{Column: 1, Watermarked: true})
	now := f.Now().UnixMicro()
	f.put(0, Timed(0, now-20*second))
	f.Log = f.Reopen()
	f.put(0, Timed(1, now-5*second)) // the older row's age still counts
	f.Log = f.Reopen()
	f.Advance(30 * time.Second)
	f.wantWatermarks(0, types.NoWatermark, now-20*second, now+10*second)
	f.Log = f.Reopen()
	f.put(0, Timed(2, slices.Repeat([]int64{now + 29*second}, 12_000)...)) // now only ages of 1 s are left
	f.Log = f.Reopen()
	f.Advance(30 * time.Second)
	w := f.watermarks(0)
	if got := w[len(w)-1]; got != now+59*second {
		t.Fatalf("watermark %d after the start, want 59 s", (got-now)/second)
	}
}

func testMarkAfterTrim(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{Column: 1, Watermarked: true})
	now := f.Now().UnixMicro()
	f.put(0, Timed(0, now-20*second))
	f.put(0, Timed(1, now-5*second))
	if err := f.Log.Trim(ctx, part(0), 2); err != nil {
		t.Fatal(err)
	}
	f.Log = f.Reopen()
	f.put(0, Timed(2, now-4*second))
	f.Log = f.Reopen()
	f.Advance(30 * time.Second)
	b, err := f.Log.Bounds(part(0))
	if err != nil || b.Watermark != now+10*second || b.Rows != 1 {
		t.Fatalf("%+v, %v: watermark %d s after the start, want 10", b, err, (b.Watermark-now)/second)
	}
}

func testClockNeverGoesBack(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	first := f.put(0, Numbers(0, 1))
	f.Advance(-time.Hour)
	back := f.put(0, Numbers(1, 1))
	f.Log = f.Reopen()
	again := f.put(0, Numbers(2, 1))
	if back.At.Before(first.At) || again.At.Before(first.At) {
		t.Fatalf("%s, %s, %s", first.At, back.At, again.At)
	}
	f.read(part(0), 0)
}
