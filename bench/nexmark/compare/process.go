package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"leat/bench/nexmark"
)

// runLeat runs a query over the files.
func (c *config) runLeat(ctx context.Context, q nexmark.Query, dir string) result {
	var args []string
	for _, k := range q.Reads {
		args = append(args, "--input", k.String()+"="+filepath.Join(dir, k.String()+".ndjson"),
			"--watermark", k.String()+".date_time - INTERVAL 4 SECONDS")
	}
	return c.process(ctx, q.Name, args)
}

// runPairs counts and sums the pairs per key and second.
func (c *config) runPairs(ctx context.Context) (result, error) {
	dir := filepath.Join(c.build, fmt.Sprintf("pairs-%d", c.pairs))
	path := filepath.Join(dir, "pairs.ndjson")
	if _, err := os.Stat(path); err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return result{}, err
		}
		p := nexmark.Pairs{Base: 1_700_000_000_000, Rate: 10_000, Keys: 1000, Values: 100, Seed: 1}
		if err := p.WriteFile(dir, c.pairs); err != nil {
			return result{}, err
		}
	}
	return c.best(func() result { return c.process(ctx, "pairs", []string{"--input", "pairs=" + path}) }), nil
}

// process runs the query in the file of that name; its rows go to /dev/null.
func (c *config) process(ctx context.Context, query string, args []string) result {
	ctx, done := context.WithTimeout(ctx, c.limit)
	defer done()
	args = append([]string{"run", filepath.Join("bench/nexmark/queries", query+".sql"), "--format", "ndjson"}, args...)
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, c.leat, args...)
	cmd.Stderr = &said // no Stdout is /dev/null
	begin := time.Now()
	err := cmd.Run()
	r := result{took: time.Since(begin), err: err}
	if err != nil {
		r.err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	if cmd.ProcessState == nil { // it did not start
		return r
	}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peak = u.Maxrss << 10
	}
	return r
}

// forgetPeak makes a process count its peak of resident memory anew, where the system lets us.
func forgetPeak(pid int) {
	os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) //nolint:errcheck // the peak is then that of all runs
}

// peak returns the most memory that a process had resident, 0 if unknown.
func peak(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kib, 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}
