package pebblelog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"leat/internal/bus"
	"leat/internal/bus/bustest"
	"leat/internal/types"
)

func TestOptionsReportEveryFault(t *testing.T) {
	err := Options{CacheBytes: 1, MemTableBytes: 1, QueueBytes: -1, QueueLength: -1, DedupSpan: -1, DedupKeys: -1, ClockEvery: -1}.Validate()
	for _, name := range []string{"CacheBytes", "MemTableBytes", "QueueBytes", "QueueLength", "DedupSpan", "DedupKeys", "ClockEvery"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is missing in %v", name, err)
		}
	}
	if _, err := Open(ctx, "log", Options{FS: vfs.NewMem(), QueueLength: -1}); !types.HasCode(err, types.InvalidArgument) {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	held := mustOpen(t, filepath.Join(dir, "held"), Options{})
	defer closeLog(t, held)
	deny := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpMkdirAll {
			return fs.ErrPermission
		}
		return nil
	}))
	for name, c := range map[string]struct {
		dir  string
		fs   vfs.FS
		code types.Code
	}{
		"file":       {file, vfs.Default, types.InvalidArgument},
		"below file": {filepath.Join(file, "log"), vfs.Default, types.InvalidArgument},
		"held":       {filepath.Join(dir, "held"), vfs.Default, types.Locked},
		"denied":     {"log", deny, types.PermissionDenied},
	} {
		_, err := Open(ctx, c.dir, Options{FS: c.fs})
		if !types.HasCode(err, c.code) || !strings.Contains(err.Error(), c.dir) || types.AsError(err).Hint == "" {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestOpenRefusesAnotherFormat(t *testing.T) {
	o := Options{FS: vfs.NewMem()}
	l := mustOpen(t, "log", o)
	if err := l.db.Set(metaKey, []byte{2, 0, 0, 0, 0, 0, 0, 0, 1}, nil); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	if _, err := Open(ctx, "log", o); !types.HasCode(err, types.Corrupt) {
		t.Fatal(err)
	}
}

func TestDiskAlmostFull(t *testing.T) {
	c, asked, free := newClock(), 0, uint64(1<<30)
	l := configured(t, "log", Options{FS: vfs.NewMem(), Now: c.Now, FreeSpace: func() (uint64, error) { asked++; return free, nil }}, 1)
	defer closeLog(t, l)
	put := func() error {
		_, err := l.Append(ctx, appendOne(0, intBatch(1)))
		return err
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	free = 100 << 20
	if err := put(); err != nil || asked != 1 {
		t.Fatalf("asked %d times at once: %v", asked, err)
	}
	c.advance(time.Second)
	if err := put(); !types.HasCode(err, types.DiskFull) || types.AsError(err).Hint == "" {
		t.Fatal(err)
	}
	if err := l.Trim(ctx, ten, 2); err != nil { // what frees space goes on
		t.Fatal(err)
	}
	free = 1 << 30
	c.advance(time.Second)
	if err := put(); err != nil {
		t.Fatal(err)
	}
}

func TestDedupIsForgotten(t *testing.T) {
	c := newClock()
	o := Options{FS: vfs.NewMem(), Now: c.Now, DedupKeys: 10, DedupSpan: time.Hour}
	l := configured(t, "log", o, 1)
	send := func(key string) bool {
		t.Helper()
		a := appendOne(0, intBatch(1))
		a.Dedup = &bus.Dedup{Key: key}
		ack, err := l.Append(ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		return ack.Duplicate
	}
	tick := func() {
		t.Helper()
		if err := l.Tick(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range "abcdefghijklmno" {
		send(string(k))
	}
	tick()
	if n := l.Metrics().DedupKeys; n != 10 {
		t.Fatalf("%d keys are remembered", n)
	}
	if send("a") || !send("o") {
		t.Fatal("the oldest keys are forgotten, the newest are not")
	}
	c.advance(time.Hour)
	if send("o") {
		t.Fatal("a key is remembered beyond its span")
	}
	closeLog(t, l)
	l = mustOpen(t, "log", o)
	defer closeLog(t, l)
	tick()
	if n := l.Metrics().DedupKeys; n != 1 || !send("o") {
		t.Fatalf("%d keys are remembered", n)
	}
}

func TestRunMarksTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := configured(t, "log", Options{FS: vfs.NewMem(), ClockEvery: 5 * time.Second}, 1)
		if err := l.Configure(ctx, bus.StreamConfig{ID: 10, Partitions: 1, Time: types.TimeRule{Column: 1, Watermarked: true}}); err != nil {
			t.Fatal(err)
		}
		run, stop := startRun(t, l)
		if _, err := l.Append(ctx, appendOne(0, bustest.Timed(0, time.Now().UnixMicro()))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Second) // of the bubble's clock
		synctest.Wait()
		ticks, err := l.Read(ctx, bus.Clock, 0, 1<<20)
		if err != nil || len(ticks) < 5 || len(ticks) > 7 || ticks[0].Batch != nil {
			t.Fatalf("%d clock marks in 31 s, %v", len(ticks), err)
		}
		if m := l.Metrics(); m.Marks != int64(len(ticks))+3 {
			t.Fatalf("%d marks, %d of them the clock's; silence has 3", m.Marks, len(ticks))
		}
		stop()
		if err := <-run; err != nil {
			t.Fatal(err)
		}
		closeLog(t, l)
	})
}

func TestFailedLogSaysSo(t *testing.T) {
	l := configured(t, "log", Options{FS: vfs.NewMem()}, 1)
	cause := errors.New("gone")
	pebbleLogger{l}.Fatalf("MANIFEST: %v", cause)
	if _, err := l.Append(ctx, appendOne(0, intBatch(1))); !types.HasCode(err, types.Unavailable) {
		t.Fatal(err)
	}
	if err := l.Run(ctx); !types.HasCode(err, types.Unavailable) {
		t.Fatal(err)
	}
	closeLog(t, l)
}
