// Package flink runs SQL on a local Apache Flink, for comparison.
package flink

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

//go:embed flink.sh
var script string

// Cluster is a running JobManager with one TaskManager and a SQL gateway.
type Cluster struct {
	dir, rest, gateway string
	// TaskManager is the process that does the work.
	TaskManager int
}

// Start installs Flink into dir if it isn't there (200 MB from Maven) and starts it.
func Start(ctx context.Context, dir string) (*Cluster, error) {
	if _, err := run(ctx, "install", dir); err != nil {
		return nil, err
	}
	out, err := run(ctx, "start", dir)
	if err != nil { // also where ctx ended halfway
		_, stopped := run(context.WithoutCancel(ctx), "stop", dir)
		return nil, errors.Join(err, stopped)
	}
	f := strings.Fields(out)
	if len(f) != 3 {
		return nil, fmt.Errorf("start of Flink printed %q", out)
	}
	pid, err := strconv.Atoi(f[2])
	if err != nil {
		return nil, fmt.Errorf("start of Flink printed %q", out)
	}
	return &Cluster{dir: dir, rest: f[0], gateway: f[1], TaskManager: pid}, nil
}

// Stop ends the cluster's processes and forgets its checkpoints.
func (c *Cluster) Stop(ctx context.Context) error {
	_, err := run(ctx, "stop", c.dir)
	return err
}

func run(ctx context.Context, command, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "bash", "-c", script, "flink.sh", command, dir)
	// What it starts holds on to its pipes: files don't make Wait wait for them.
	out, err := os.CreateTemp("", "flink")
	if err != nil {
		return "", err
	}
	defer func() {
		out.Close()
		_ = os.Remove(out.Name())
	}()
	cmd.Stdout, cmd.Stderr = out, out
	failed := cmd.Run()
	text, err := os.ReadFile(out.Name())
	if err != nil {
		return "", err
	}
	if failed != nil {
		return "", fmt.Errorf("flink.sh %s: %w: %s", command, failed, bytes.TrimSpace(text))
	}
	return string(text), nil
}

// Run executes statements in a session of their own, the last of which is an INSERT over finite input, and returns how long its job ran.
func (c *Cluster) Run(ctx context.Context, statements []string) (time.Duration, error) {
	var s struct{ SessionHandle string }
	if err := c.call(ctx, http.MethodPost, c.gateway+"/v1/sessions", struct{}{}, &s); err != nil {
		return 0, err
	}
	session := c.gateway + "/v1/sessions/" + s.SessionHandle
	job := ""
	for _, text := range statements {
		var err error
		if job, err = c.statement(ctx, session, text); err != nil {
			return 0, fmt.Errorf("%s: %w", text, err)
		}
	}
	if job == "" {
		return 0, fmt.Errorf("%s: made no job", statements[len(statements)-1])
	}
	return c.wait(ctx, job)
}

// statement executes one statement and returns its job's ID, if it made one.
func (c *Cluster) statement(ctx context.Context, session, text string) (string, error) {
	var o struct{ OperationHandle string }
	if err := c.call(ctx, http.MethodPost, session+"/statements", map[string]string{"statement": text}, &o); err != nil {
		return "", err
	}
	for {
		var r struct {
			ResultType string
			JobID      string
		}
		if err := c.call(ctx, http.MethodGet, session+"/operations/"+o.OperationHandle+"/result/0?rowFormat=JSON", nil, &r); err != nil {
			return "", err
		}
		if r.ResultType != "NOT_READY" {
			return r.JobID, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// wait returns the run time of a job once it has ended.
func (c *Cluster) wait(ctx context.Context, job string) (time.Duration, error) {
	for {
		var r struct {
			State    string
			Duration int64
		}
		if err := c.call(ctx, http.MethodGet, c.rest+"/jobs/"+job, nil, &r); err != nil {
			return 0, err
		}
		switch r.State {
		case "FINISHED":
			return time.Duration(r.Duration) * time.Millisecond, nil
		case "FAILED", "CANCELED", "SUSPENDED":
			return 0, fmt.Errorf("job %s: %s", r.State, c.reason(ctx, job))
		}
		select {
		case <-ctx.Done():
			c.cancel(job)
			return 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *Cluster) reason(ctx context.Context, job string) string {
	var r struct {
		ExceptionHistory struct {
			Entries []struct{ Stacktrace string }
		}
	}
	if err := c.call(ctx, http.MethodGet, c.rest+"/jobs/"+job+"/exceptions", nil, &r); err != nil || len(r.ExceptionHistory.Entries) == 0 {
		return "reason unknown"
	}
	return cause(r.ExceptionHistory.Entries[0].Stacktrace)
}

// cause is the first line of the innermost cause in a stack trace.
func cause(trace string) string {
	if i := strings.LastIndex(trace, "Caused by: "); i >= 0 {
		trace = trace[i:]
	}
	line, _, _ := strings.Cut(trace, "\n")
	return fmt.Sprintf("%.500s", line)
}

// cancel ends a job whose time is over; the context of its run has ended too.
func (c *Cluster) cancel(job string) {
	ctx, done := context.WithTimeout(context.Background(), 20*time.Second)
	defer done()
	if err := c.call(ctx, http.MethodPatch, c.rest+"/jobs/"+job+"?mode=cancel", nil, nil); err != nil {
		return
	}
	for ctx.Err() == nil {
		var r struct{ State string }
		if err := c.call(ctx, http.MethodGet, c.rest+"/jobs/"+job, nil, &r); err != nil || r.State == "CANCELED" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// call sends a request and reads the JSON of its answer.
func (c *Cluster) call(ctx context.Context, method, url string, body, answer any) error {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, in)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s: %s", res.Status, cause(strings.ReplaceAll(string(b), `\n`, "\n")))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(b, answer)
}
