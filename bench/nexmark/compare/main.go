// Command compare measures Leat on the Nexmark queries, and Apache Flink beside it on the same files, one after the other.
//
//	make bench-nexmark
//	go run ./bench/nexmark/compare -events 5000000 -only q4,q5 -flink=false
//
// Run it from the root of the repository. Events/s are over the events of the files that a query reads. Leat's time is that of the whole
// process, from its start to the last row written; Flink's that of the job, in a cluster that is already up.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"leat/bench/flink"
	"leat/bench/nexmark"
)

type config struct {
	leat, build, only string
	events, pairs     uint64
	times             int
	limit             time.Duration
	flink, own        bool
}

// result is what one engine did with one query.
type result struct {
	took time.Duration
	// peak is the most memory that its process had resident, in bytes; 0 if unknown.
	peak int64
	err  error
}

func main() {
	var c config
	flag.StringVar(&c.leat, "leat", "bin/leat", "the binary")
	flag.StringVar(&c.build, "build", "bench/build", "where files and Flink are kept")
	flag.StringVar(&c.only, "only", "", "queries, comma separated (default all)")
	flag.Uint64Var(&c.events, "events", 5_000_000, "events to generate, all kinds together")
	flag.Uint64Var(&c.pairs, "pairs", 3_000_000, "rows of a key and a value for the small query beside (0: none)")
	flag.IntVar(&c.times, "times", 1, "runs of each query; the best counts")
	flag.DurationVar(&c.limit, "limit", 10*time.Minute, "longest run")
	flag.BoolVar(&c.own, "own", true, "measure Leat")
	flag.BoolVar(&c.flink, "flink", true, "measure Flink")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := c.compare(ctx); err != nil {
		log.Fatal(err)
	}
}

func (c *config) compare(ctx context.Context) error {
	queries := nexmark.Queries()
	if c.only != "" {
		names := strings.Split(c.only, ",")
		queries = slices.DeleteFunc(queries, func(q nexmark.Query) bool { return !slices.Contains(names, q.Name) })
	}
	dir, err := c.files()
	if err != nil {
		return err
	}
	own, theirs := map[string]result{}, map[string]result{}
	if c.own {
		for _, q := range queries {
			own[q.Name] = c.best(func() result { return c.runLeat(ctx, q, dir) })
			c.progress("leat", q, own[q.Name])
		}
	}
	if c.flink {
		if err := c.runFlink(ctx, queries, dir, theirs); err != nil {
			fmt.Fprintf(os.Stderr, "Flink is skipped: %v\n", err)
		}
	}
	c.print(os.Stdout, queries, own, theirs)
	if c.own && c.pairs > 0 && ctx.Err() == nil {
		r, err := c.runPairs(ctx)
		if err = errors.Join(err, r.err); err != nil {
			return err
		}
		fmt.Printf("\nCount and sum of %d pairs per key and second: %.2f s, %.1f M rows/s, peak %d MiB\n",
			c.pairs, r.took.Seconds(), float64(c.pairs)/r.took.Seconds()/1e6, r.peak>>20)
	}
	return ctx.Err()
}

// files makes the input once and reads it, so that each run finds it in the page cache.
func (c *config) files() (dir string, err error) {
	dir = filepath.Join(c.build, fmt.Sprintf("nexmark-%d", c.events))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, k := range []nexmark.Kind{nexmark.Person, nexmark.Auction, nexmark.Bid} {
		f, err := os.Open(filepath.Join(dir, k.String()+".ndjson"))
		if os.IsNotExist(err) {
			g := nexmark.Generator{Base: time.Date(2015, 7, 15, 0, 0, 0, 0, time.UTC), Rate: 10_000, Seed: 1}
			fmt.Fprintf(os.Stderr, "writing %d events to %s (%s)\n", c.events, dir, g)
			if err := g.WriteFiles(dir, c.events); err != nil {
				return "", err
			}
			return dir, nil
		}
		if err != nil {
			return "", err
		}
		_, err = io.Copy(io.Discard, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return dir, nil
}

func (c *config) best(run func() result) result {
	best := run()
	for range c.times - 1 {
		if r := run(); r.err == nil && (best.err != nil || r.took < best.took) {
			best = r
		}
	}
	return best
}

func (c *config) runFlink(ctx context.Context, queries []nexmark.Query, dir string, into map[string]result) error {
	cluster, err := flink.Start(ctx, filepath.Join(c.build, "flink"))
	if err != nil {
		return err
	}
	defer func() {
		if err := cluster.Stop(context.WithoutCancel(ctx)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	for _, q := range queries {
		into[q.Name] = c.best(func() result {
			ctx, done := context.WithTimeout(ctx, c.limit)
			defer done()
			forgetPeak(cluster.TaskManager)
			took, err := cluster.Nexmark(ctx, q.Name, dir)
			return result{took: took, peak: peak(cluster.TaskManager), err: err}
		})
		c.progress("flink", q, into[q.Name])
	}
	return nil
}

// progress goes to stderr, the table to stdout.
func (c *config) progress(engine string, q nexmark.Query, r result) {
	if r.err != nil {
		fmt.Fprintf(os.Stderr, "%-5s %-3s failed: %v\n", engine, q.Name, r.err)
		return
	}
	fmt.Fprintf(os.Stderr, "%-5s %-3s %8.2f s %8.0fk events/s\n", engine, q.Name, r.took.Seconds(), c.rate(q, r)/1000)
}

func (c *config) rate(q nexmark.Query, r result) float64 {
	return float64(q.Events(c.events)) / r.took.Seconds()
}

func (c *config) print(w io.Writer, queries []nexmark.Query, own, theirs map[string]result) {
	fmt.Fprintf(w, "| query | events | Leat: s | events/s | peak MiB | Flink: s | events/s | peak MiB | ratio |\n|---|---|---|---|---|---|---|---|---|\n")
	sum, n := 0.0, 0
	for _, q := range queries {
		a, b, ratio := own[q.Name], theirs[q.Name], ""
		if a.took > 0 && b.took > 0 && a.err == nil && b.err == nil {
			x := b.took.Seconds() / a.took.Seconds()
			sum, n, ratio = sum+math.Log(x), n+1, fmt.Sprintf("%.1f", x)
		}
		fmt.Fprintf(w, "| %s | %d | %s | %s | %s |\n", q.Name, q.Events(c.events), c.cells(q, a), c.cells(q, b), ratio)
	}
	if n > 0 {
		fmt.Fprintf(w, "\nGeometric mean of %d ratios: %.1f\n", n, math.Exp(sum/float64(n)))
	}
}

func (c *config) cells(q nexmark.Query, r result) string {
	switch {
	case r.err != nil:
		return "failed | | "
	case r.took == 0:
		return " | | "
	}
	return fmt.Sprintf("%.2f | %.0fk | %d", r.took.Seconds(), c.rate(q, r)/1000, r.peak>>20)
}
