package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"leat/internal/types"
)

// client speaks to a server's HTTP API.
type client struct {
	env    Env
	global *global
	http   http.Client
	// wrote is the position of the last statement if that wrote rows: the next waits until it sees them.
	wrote string
}

// request is one call; Body may be nil.
type request struct {
	method, path string
	query        url.Values
	body         io.Reader
	header       map[string]string
}

// do sends a request and returns the answer of a success; every other answer is a coded error.
func (c *client) do(ctx context.Context, r request) (*http.Response, error) {
	base := c.global.server
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	target := strings.TrimRight(base, "/") + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, r.body)
	if err != nil {
		return nil, types.Errorf(types.InvalidArgument, "server %q: %w", c.global.server, err)
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	// The token is not the flag's default: --help would print it.
	if token := orDefault(c.global.token, c.env.Getenv("LEAT_TOKEN")); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if err := c.secure(); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	problem := readProblem(resp)
	if types.HasCode(problem, types.Unauthenticated) {
		types.AsError(problem).Hint = "give one with --token or LEAT_TOKEN; an admin makes it with `leat token create`"
	}
	return nil, problem
}

func (c *client) unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	e := types.Errorf(types.Unavailable, "no answer from %s: %w", c.global.server, err)
	if errors.Is(err, syscall.ECONNREFUSED) {
		e.Message = fmt.Sprintf("no server listens at %s", c.global.server)
		e.Hint = "start one with `leat start`, or name another with --server"
	}
	return e
}

// problem is application/problem+json (RFC 9457) as the server writes it.
type problem struct {
	Code   types.Code `json:"code"`
	Title  string     `json:"title,omitempty"`
	Detail string     `json:"detail,omitempty"`
	Hint   string     `json:"hint,omitempty"`
	Line   int        `json:"line,omitempty"`
	Column int        `json:"column,omitempty"`
	Path   string     `json:"path,omitempty"`
	Errors []problem  `json:"errors,omitempty"`
}

func (p problem) error() *types.Error {
	e := &types.Error{Code: p.Code, Message: orDefault(p.Detail, p.Title), Hint: p.Hint, Line: p.Line, Column: p.Column, Path: p.Path}
	for _, sub := range p.Errors {
		e.Errors = append(e.Errors, sub.error())
	}
	return e
}

func readProblem(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var p problem
	if json.Unmarshal(body, &p) != nil || p.Code == "" {
		return types.Errorf(types.Unavailable, "the server answered %s: %.200s", resp.Status, body)
	}
	e := p.error()
	if s := resp.Header.Get("Retry-After"); s != "" {
		e.RetryAfter, _ = strconv.Atoi(s) // a date, which Leat never sends, is 0: the usual pause
	}
	return e
}

// getJSON reads an answer into out.
func (c *client) getJSON(ctx context.Context, r request, out any) error {
	resp, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return types.Errorf(types.Unavailable, "the answer of %s %s is cut: %w", r.method, r.path, err)
	}
	return nil
}

// format is the output format that was asked for, or the one that fits stdout.
func (c *client) format() (string, error) {
	switch f := c.global.format; f {
	case "":
		if c.env.Terminal {
			return "table", nil
		}
		return "ndjson", nil
	case "table", "json", "ndjson", "csv", "parquet", "arrow":
		return f, nil
	default:
		return "", types.Errorf(types.InvalidArgument, "unknown format %q", f).WithHint("use table, json, ndjson, csv, parquet or arrow")
	}
}
