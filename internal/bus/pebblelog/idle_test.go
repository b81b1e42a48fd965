package pebblelog

import (
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestIdleMemory keeps the log frugal: the whole product is to stay below 150 MiB when idle.
func TestIdleMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l := configured(t, t.TempDir(), Options{FS: vfs.Default}, 1)
	if _, err := l.Append(ctx, appendOne(0, intBatch(1))); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapInuse) - int64(before.HeapInuse)
	t.Logf("%.1f MiB of heap, %.1f MiB from the system", float64(grown)/(1<<20), float64(after.Sys)/(1<<20))
	if grown > 24<<20 {
		t.Errorf("an idle log takes %d MiB of heap", grown>>20)
	}
	closeLog(t, l)
}
