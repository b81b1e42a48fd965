// Command state measures candidates for the home of state (docs/adr/0002-state.md):
//
//	go run ./bench/state -events 2000000 -budget 96
//
// The work is that of Nexmark q9: auctions are stored under their ID, bids read their auction, are appended under it and replace its best
// bid. Then every kind of read that operators do, a restart and a drop.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
)

// Tables of the work.
const (
	auctions = iota + 1
	bids
	best
)

// candidate is what the work needs of a home of state.
type candidate interface {
	get(table int, key []byte) ([]byte, bool)
	put(table int, key, value []byte)
	// prefix counts the rows whose key begins with p, at most n.
	prefix(table int, p []byte, n int) int
	// scan counts all rows in key order; false where that can't be done.
	scan(table int) (int, bool)
	// snapshot makes and closes n versions with a change in between.
	snapshots(n int) bool
	commit() error
	reopen() error
	drop(table int) error
	close() error
}

var candidates = map[string]func(dir string, budget int64) (candidate, error){
	"batches": openBatches, "runs": openRuns, "pages": openPages, "tree": openTree,
}

func main() {
	events := flag.Int("events", 2_000_000, "events of the work")
	budget := flag.Int64("budget", 96, "MiB of memory for state")
	profile := flag.String("cpuprofile", "", "file of a profile of the processor")
	only := flag.String("only", "batches,runs,pages,tree", "candidates")
	restart := flag.Int("restart", 0, "instead, MiB of rows that a restart of the tree finds")
	flag.Parse()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			slog.Error("profiling", "error", err)
			os.Exit(1)
		}
		defer pprof.StopCPUProfile()
	}
	if *restart > 0 {
		if err := measureRestart(*restart, *budget<<20); err != nil {
			slog.Error("measuring a restart", "error", err)
			os.Exit(1)
		}
		return
	}
	for _, name := range strings.Split(*only, ",") {
		if err := run(name, *events, *budget<<20); err != nil {
			slog.Error("measuring", "candidate", name, "error", err)
			os.Exit(1)
		}
	}
}

// processor is the processor's time of all threads.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure prints what n operations take.
func measure(name string, n int, f func()) {
	cpu, start := processor(), time.Now()
	f()
	wall, used := time.Since(start), processor()-cpu
	fmt.Printf("  %-22s %9.0f ns/op  %9.0f cpu-ns/op  %8.0f ms\n", name,
		float64(wall.Nanoseconds())/float64(n), float64(used.Nanoseconds())/float64(n), float64(wall.Milliseconds()))
}

func run(name string, events int, budget int64) error {
	dir, err := os.MkdirTemp("", "bench-state-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c, err := candidates[name](dir, budget)
	if err != nil {
		return err
	}
	fmt.Printf("%s, %d events, budget %d MiB\n", name, events, budget>>20)
	w := &work{c: c, rng: rand.New(rand.NewPCG(1, 2))}
	measure("q9", events, func() { err = w.run(events) })
	if err != nil {
		return err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("  %-22s %9.0f MiB of heap in use, %.0f MiB on disk, rows %.0f MiB\n", "sizes", float64(m.HeapInuse)/(1<<20), used(dir), float64(w.bytes)/(1<<20))
	w.reads()
	measure("snapshots", 1000, func() { c.snapshots(1000) })
	measure("commit of little", 1, func() { err = c.commit() })
	if err != nil {
		return err
	}
	measure("restart, first read", 1, func() {
		if err = c.reopen(); err == nil {
			w.point()
		}
	})
	if err != nil {
		return err
	}
	measure("drop", 1, func() { err = c.drop(bids) })
	if err != nil {
		return err
	}
	return c.close()
}

// used is how many MiB the files of a folder have.
func used(dir string) float64 {
	var n int64
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			n += int64(used(dir+"/"+e.Name()) * (1 << 20))
		} else if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return float64(n) / (1 << 20)
}

// work is the access pattern.
type work struct {
	c        candidate
	rng      *rand.Rand
	auctions uint64
	bids     uint64
	bytes    int
	key      []byte
}

func encode(buf []byte, parts ...uint64) []byte {
	buf = buf[:0]
	for _, p := range parts {
		buf = binary.BigEndian.AppendUint64(append(buf, 1), p|1<<63)
	}
	return buf
}

// value makes values with what compresses about as text does.
func (w *work) value(n int) []byte {
	v := make([]byte, n)
	for i := 0; i < n; i += 2 {
		v[i] = byte('a' + w.rng.IntN(26))
	}
	return v
}

func (w *work) put(table int, key, value []byte) {
	w.c.put(table, key, value)
	w.bytes += len(key) + len(value)
}

func (w *work) run(events int) error {
	for i := range events {
		switch at := i % 50; {
		case at == 0: // a person
		case at < 4:
			w.auctions++
			w.key = encode(w.key, w.auctions)
			w.put(auctions, w.key, w.value(110))
			w.c.prefix(bids, w.key, 1000)
		case w.auctions > 0:
			w.bid()
		}
		if i%200_000 == 199_999 {
			if err := w.c.commit(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *work) bid() {
	a := w.auctions / 100 * 100
	if w.rng.IntN(2) == 0 || a == 0 {
		a = w.auctions - uint64(w.rng.IntN(int(min(w.auctions, 100))))
	}
	w.key = encode(w.key, a)
	if _, ok := w.c.get(auctions, w.key); !ok {
		panic(fmt.Sprintf("auction %d is lost", a))
	}
	w.bids++
	value := w.value(64)
	w.put(bids, encode(w.key, a, w.bids), value)
	w.key = encode(w.key, a)
	if old, ok := w.c.get(best, w.key); !ok || string(value[:8]) > string(old[:8]) {
		w.put(best, w.key, value)
	}
}

func (w *work) point() {
	w.key = encode(w.key, 1+w.rng.Uint64N(w.auctions))
	if _, ok := w.c.get(auctions, w.key); !ok {
		panic("an auction is lost")
	}
}

func (w *work) reads() {
	const n = 50_000
	measure("point read, anywhere", n, func() {
		for range n {
			w.point()
		}
	})
	measure("point read, missing", n, func() {
		for range n {
			w.key = encode(w.key, 1+w.rng.Uint64N(w.auctions), 7)
			w.c.get(auctions, w.key)
		}
	})
	measure("point read, recent", n, func() {
		for range n {
			w.key = encode(w.key, w.auctions-w.rng.Uint64N(100))
			w.c.get(auctions, w.key)
		}
	})
	rows := 0
	measure("prefix scan, anywhere", n/5, func() {
		for range n / 5 {
			w.key = encode(w.key, 1+w.rng.Uint64N(w.auctions))
			rows += w.c.prefix(bids, w.key, 1000)
		}
	})
	fmt.Printf("  %-22s %9.1f\n", "  rows of one", float64(rows)/(n/5))
	measure("order scan, a row", int(w.bids), func() {
		if got, ok := w.c.scan(bids); ok && got != int(w.bids) {
			panic(fmt.Sprintf("%d bids of %d", got, w.bids))
		} else if !ok {
			fmt.Println("  no order")
		}
	})
}

// measureRestart fills a store with rows of 1 KiB under keys at random, and opens it again.
func measureRestart(mib int, budget int64) error {
	dir, err := os.MkdirTemp("", "bench-state-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c, err := openTree(dir, budget)
	if err != nil {
		return err
	}
	w := &work{c: c, rng: rand.New(rand.NewPCG(1, 2))}
	n := mib * 1024
	value := w.value(1024)
	measure("fill, a row", n, func() {
		for i := 0; i < n && err == nil; i++ {
			binary.LittleEndian.PutUint64(value[i%1000:], w.rng.Uint64())
			w.put(auctions, encode(w.key, w.rng.Uint64()), value)
			if i%(48<<10) == 0 {
				err = c.commit()
			}
		}
	})
	if err != nil {
		return err
	}
	if err := c.commit(); err != nil {
		return err
	}
	fmt.Printf("  %.0f MiB on disk\n", used(dir))
	t := c.(*tree)
	measure("close", 1, func() { err = t.s.Close() })
	if err != nil {
		return err
	}
	measure("restart, first read", 1, func() {
		if err = t.start(); err == nil {
			c.get(auctions, encode(w.key, 7))
		}
	})
	if err != nil {
		return err
	}
	return c.close()
}
