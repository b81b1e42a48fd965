package pebblestate

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const many = 1 << 20

// processor reports the processor's time per operation, of all threads: the clock's means little on a machine that is shared.
func processor(b *testing.B) func() {
	var from syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &from)
	return func() {
		var to syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &to)
		b.ReportMetric(float64(to.Utime.Nano()+to.Stime.Nano()-from.Utime.Nano()-from.Stime.Nano())/float64(b.N), "cpu-ns/op")
	}
}

// keyOf is a key like those of operators: a marker and 8 bytes.
func keyOf(buf []byte, n uint64) []byte {
	buf = append(buf[:0], 1)
	return binary.BigEndian.AppendUint64(buf, n|1<<63)
}

func mix(n uint64) uint64 { return n * 0x9e3779b97f4a7c15 >> 8 }

func benchStore(b *testing.B, budget int64) *Store {
	s, err := Open("state", Options{FS: vfs.NewMem(), Budget: budget, Volatile: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

var value32 = make([]byte, 32)

// filled has 1 M rows of 41 bytes.
func filled(b *testing.B) *table {
	t := benchStore(b, 1<<30).Table(1).(*table)
	var buf []byte
	for i := range uint64(many) {
		buf = keyOf(buf, mix(i))
		t.Put(buf, value32)
	}
	return t
}

func BenchmarkGet(b *testing.B) {
	t := filled(b)
	var buf []byte
	runtime.GC()
	i := uint64(0)
	defer processor(b)()
	for b.Loop() {
		i += 7919
		buf = keyOf(buf, mix(i%many))
		if _, ok := t.Get(buf); !ok {
			b.Fatal("missing")
		}
	}
	b.ReportMetric(float64(t.memory)/(41*many), "bytes/byte")
}

func BenchmarkPutRandom(b *testing.B) {
	t := filled(b)
	var buf []byte
	i := uint64(0)
	defer processor(b)()
	for b.Loop() {
		i += 7919
		buf = keyOf(buf, mix(i))
		t.Put(buf, value32)
	}
}

func BenchmarkPutSequential(b *testing.B) {
	t := benchStore(b, 8<<30).Table(1).(*table)
	var buf []byte
	i := uint64(0)
	defer processor(b)()
	for b.Loop() {
		i++
		buf = keyOf(buf, i)
		t.Put(buf, value32)
	}
	b.ReportMetric(float64(t.memory)/float64(41*i), "bytes/byte")
}

func BenchmarkAddRandom(b *testing.B) {
	t := benchStore(b, 1<<30).Table(1).(*table)
	var buf []byte
	rng := rand.New(rand.NewPCG(1, 1))
	defer processor(b)()
	for b.Loop() {
		buf = keyOf(buf, mix(rng.Uint64N(many)))
		t.Add(buf, 1)
	}
}

// BenchmarkUpdate reads and writes the same key, keys at random.
func BenchmarkUpdate(b *testing.B) {
	t := filled(b)
	var buf []byte
	i := uint64(0)
	defer processor(b)()
	for b.Loop() {
		i += 7919
		buf = keyOf(buf, mix(i%many))
		v, _ := t.Get(buf)
		t.Put(buf, v)
	}
}

func BenchmarkScanSetup(b *testing.B) {
	t := filled(b)
	var buf []byte
	i := uint64(0)
	defer processor(b)()
	for b.Loop() {
		i += 7919
		buf = keyOf(buf, mix(i%many))
		it := t.Scan(buf, nil)
		it.Next()
		it.Close()
	}
}

func BenchmarkScanRow(b *testing.B) {
	t := filled(b)
	it := t.Scan(nil, nil)
	defer processor(b)()
	for b.Loop() {
		if !it.Next() {
			it = t.Scan(nil, nil)
		}
	}
}

// BenchmarkStep changes 64 neighbouring rows, then takes a snapshot and closes the one before: what a publishing step does.
func BenchmarkStep(b *testing.B) {
	t := filled(b)
	var buf []byte
	last := t.Snapshot()
	i := uint64(0)
	defer processor(b)()
	for b.Loop() {
		for range 64 {
			i++
			buf = keyOf(buf, 1<<50+i)
			t.Put(buf, value32)
		}
		next := t.Snapshot()
		last.Close()
		last = next
	}
}

func BenchmarkDeleteRange(b *testing.B) {
	defer processor(b)()
	for b.Loop() {
		b.StopTimer()
		t := benchStore(b, 1<<30).Table(1).(*table)
		var buf []byte
		for i := range uint64(200_000) {
			buf = keyOf(buf, i)
			t.Put(buf, value32)
		}
		leaves := t.leaves
		lower, upper := keyOf(nil, 100), keyOf(nil, 199_900)
		b.StartTimer()
		t.DeleteRange(lower, upper)
		b.ReportMetric(float64(leaves), "leaves")
	}
}

// BenchmarkCommit commits 10,000 changed rows of a million.
func BenchmarkCommit(b *testing.B) {
	s, err := Open("state", Options{FS: vfs.NewMem(), Budget: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	t := s.Table(1)
	var buf []byte
	i := uint64(0)
	defer processor(b)()
	for b.Loop() {
		b.StopTimer()
		for range 10_000 {
			i++
			buf = keyOf(buf, mix(i%many))
			t.Put(buf, value32)
		}
		b.StartTimer()
		if err := s.Commit(nil, false); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/row")
}
