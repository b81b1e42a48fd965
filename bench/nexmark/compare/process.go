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

// runLeat runs a query over the files; its rows go to /dev/null.
func (c *config) runLeat(ctx context.Context, q nexmark.Query, dir string) result {
	ctx, done := context.WithTimeout(ctx, c.limit)
	defer done()
	args := []string{"run", filepath.Join("bench/nexmark/queries", q.Name+".sql"), "--format", "ndjson"}
	for _, k := range q.Reads {
		args = append(args, "--input", k.String()+"="+filepath.Join(dir, k.String()+".ndjson"),
			"--watermark", k.String()+".date_time - INTERVAL 4 SECONDS")
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, c.leat, args...)
	cmd.Stderr = &said // no Stdout is /dev/null
	begin := time.Now()
	err := cmd.Run()
	r := result{took: time.Since(begin), err: err}
	if err != nil {
		r.err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(said.Bytes()))
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
