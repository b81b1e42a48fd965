// Command profile runs one Nexmark query in this process as `leat run` would, and says what it cost.
//
//	go run ./bench/nexmark/profile -query q4 -cpu q4.pprof
//
// Run it from the root of the repository, after bench/nexmark/generate wrote the files.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"leat/bench/nexmark"
	"leat/internal/duck"
	"leat/internal/engine/expr"
	"leat/internal/run"
	"leat/internal/sql/bind"
	"leat/internal/state"
	"leat/internal/state/pebblestate"
)

func main() {
	dir := flag.String("dir", "bench/build/nexmark-5000000", "where the files are")
	name := flag.String("query", "q0", "one of bench/nexmark/queries, or pairs")
	sql := flag.String("sql", "", "a script instead; it may read bid, auction, person and pairs")
	memory := flag.Int64("memory", 4096, "MiB of state in memory, as leat run's --memory")
	events := flag.Uint64("events", 5_000_000, "how many events the files have, for the rates")
	check := flag.Bool("check", false, "print a hash of the rows, whatever their order, too")
	explain := flag.Bool("explain", false, "print the plan instead")
	cpu := flag.String("cpu", "", "write a CPU profile to this file")
	mem := flag.String("mem", "", "write a profile of all allocations to this file")
	flag.Parse()
	o, err := options(*dir, *name, *sql)
	if err != nil {
		log.Fatal(err)
	}
	rows := &hashed{}
	if o.Explain = *explain; *explain {
		o.Stdout = os.Stdout
	} else if *check {
		o.Stdout = rows
	}
	if *mem != "" {
		runtime.MemProfileRate = 64 << 10
	}
	begin := time.Now()
	if err := profiled(*cpu, func() error { return query(o, *memory<<20) }); err != nil {
		log.Fatal(err)
	}
	took := time.Since(begin)
	if *mem != "" {
		if err := writeAllocs(*mem); err != nil {
			log.Fatal(err)
		}
	}
	report(*name, *events, took)
	if *check {
		fmt.Printf("%s: %d rows, hash %016x\n", *name, rows.n, rows.sum)
	}
}

func options(dir, name, sql string) (run.Options, error) {
	o := run.Options{Script: sql, Format: "ndjson", Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: os.Stderr}
	if sql == "" {
		text, err := os.ReadFile(filepath.Join("bench/nexmark/queries", name+".sql"))
		if err != nil {
			return o, err
		}
		o.Script = string(text)
	}
	reads := []string{"bid", "auction", "person", "pairs"}
	for _, q := range nexmark.Queries() {
		if sql == "" && q.Name == name {
			reads = reads[:0]
			for _, k := range q.Reads {
				reads = append(reads, k.String())
			}
		}
	}
	if sql == "" && name == "pairs" {
		reads = []string{"pairs"}
	}
	for _, r := range reads {
		if r == "pairs" {
			o.Inputs = append(o.Inputs, run.Source{Name: r, Path: filepath.Join(filepath.Dir(dir), "pairs.ndjson")})
			continue
		}
		o.Inputs = append(o.Inputs, run.Source{Name: r, Path: filepath.Join(dir, r+".ndjson")})
		o.Watermarks = append(o.Watermarks, r+".date_time - INTERVAL 4 SECONDS")
	}
	return o, nil
}

func query(o run.Options, memory int64) error {
	planner, err := duck.NewPlanner()
	if err != nil {
		return err
	}
	defer planner.Close()
	parser, err := duck.NewParser()
	if err != nil {
		return err
	}
	defer parser.Close()
	evaluator, err := duck.NewEvaluator()
	if err != nil {
		return err
	}
	defer evaluator.Close()
	dir, err := os.MkdirTemp("", "nexmark-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // nothing in it outlives the run
	o.Binder, o.Evaluator = bind.New(planner, parser), expr.FromArrow(evaluator)
	o.State = func() (state.Store, error) {
		e, err := pebblestate.OpenEngine(filepath.Join(dir, "state"), pebblestate.Options{Volatile: true, Budget: memory})
		if err != nil {
			return nil, err
		}
		s, err := e.Store(1)
		return sized{s, e}, err
	}
	return run.Run(context.Background(), o)
}

// sized tells at the end how large the state is.
type sized struct {
	*pebblestate.Store
	engine *pebblestate.Engine
}

func (s sized) Close() error {
	err := s.Commit(nil, false) // refreshes the sizes, as the store is volatile nothing more
	st := s.Stats()
	var rows int64
	for _, t := range st.Tables {
		rows += t.Rows
	}
	fmt.Fprintf(os.Stderr, "state: %d rows, %d MiB in memory, %d MiB on disk\n", rows, st.Memory>>20, st.Disk>>20)
	return errors.Join(err, s.Store.Close(), s.engine.Close())
}

func profiled(path string, work func() error) error {
	if path == "" {
		return work()
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = work()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

func writeAllocs(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}

// report prints what the process took; the rates are those of the processor time on one core, and of the wall.
func report(name string, made uint64, took time.Duration) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	busy := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	events := uint64(3_000_000)
	if i := slices.IndexFunc(nexmark.Queries(), func(q nexmark.Query) bool { return q.Name == name }); i >= 0 {
		events = nexmark.Queries()[i].Events(made)
	}
	fmt.Printf("%-5s wall %6.2f s (%5.0fk/s)  user %6.2f sys %5.2f: %5.0fk/s per core  peak %5d MiB  allocated %6d MiB  %3d collections\n", name, took.Seconds(),
		float64(events)/took.Seconds()/1000, time.Duration(u.Utime.Nano()).Seconds(), time.Duration(u.Stime.Nano()).Seconds(),
		float64(events)/busy.Seconds()/1000, u.Maxrss>>10, m.TotalAlloc>>20, m.NumGC)
}

// hashed adds up the hashes of the lines written to it.
type hashed struct {
	rest []byte
	sum  uint64
	n    int
}

func (h *hashed) Write(p []byte) (int, error) {
	h.rest = append(h.rest, p...)
	rest := h.rest
	for {
		line, after, ok := bytes.Cut(rest, []byte{'\n'})
		if !ok {
			break
		}
		f := fnv.New64a()
		_, _ = f.Write(line) // a hash never fails
		h.sum += f.Sum64()
		h.n++
		rest = after
	}
	h.rest = append(h.rest[:0], rest...)
	return len(p), nil
}
