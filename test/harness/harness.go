// Package harness runs the real binary for tests: built once, on port 0, with its address read from a file.
package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait: far above what a loaded machine needs.
const patience = 60 * time.Second

// Root is the folder of the module.
var Root = sync.OnceValue(func() string {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		panic("go env GOMOD: " + err.Error())
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
})

// Binary returns the path of the binary: the one that LEAT_BIN names, or bin/leat, built now.
var Binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("LEAT_BIN"); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(Root(), "bin", "leat")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/leat")
	cmd.Dir = Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// Server is a running `leat start`.
type Server struct {
	URL  string
	Data string
	// PG is the address of the PostgreSQL protocol, "" where there is none.
	PG string

	// Auth is the token that Do, Post, Get, Send and SQL send, "" for none; Token sets it to the first one that it makes.
	Auth string

	t      testing.TB
	cmd    *exec.Cmd
	stderr *lockedBuffer
	done   chan error
}

// Start runs a server on data (a new folder when empty) and waits until it is ready. It is stopped when the test ends.
func Start(t testing.TB, data string, flags ...string) *Server {
	t.Helper()
	s, err := Launch(t, data, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// StartUnder is Start with the server as the command of another program, which must replace itself by it or end with it.
func StartUnder(t testing.TB, wrapper []string, data string, flags ...string) *Server {
	t.Helper()
	s, err := launch(t, wrapper, data, flags)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Launch is Start for servers that may fail to start.
func Launch(t testing.TB, data string, flags ...string) (*Server, error) {
	t.Helper()
	return launch(t, nil, data, flags)
}

func launch(t testing.TB, wrapper []string, data string, flags []string) (*Server, error) {
	t.Helper()
	bin, err := Binary()
	if err != nil {
		return nil, err
	}
	if data == "" {
		data = filepath.Join(t.TempDir(), "data")
	}
	addr := filepath.Join(t.TempDir(), "addr")
	s := &Server{Data: data, t: t, stderr: &lockedBuffer{}, done: make(chan error, 1)}
	args := append(slices.Clone(wrapper), bin, "start", "--data", data, "--listen", "127.0.0.1:0", "--pg-listen", "127.0.0.1:0", "--addr-file", addr)
	args = append(args, flags...)
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Dir = t.TempDir()
	s.cmd.Env = CleanEnv()
	s.cmd.Stderr, s.cmd.Stdout = s.stderr, s.stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() { s.Kill() })
	return s, s.ready(addr)
}

// CleanEnv is the environment without LEAT_ settings of the one who runs the tests.
func CleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "LEAT_") {
			env = append(env, kv)
		}
	}
	return env
}

func (s *Server) ready(addrFile string) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		select {
		case err := <-s.done:
			s.done <- err
			return fmt.Errorf("the server ended: %w\n%s", err, s.Log())
		case <-time.After(5 * time.Millisecond):
		}
		addr, err := os.ReadFile(addrFile)
		if err != nil || len(addr) == 0 {
			continue
		}
		s.URL = "http://" + strings.TrimSpace(string(addr))
		if pg, err := os.ReadFile(addrFile + ".pg"); err == nil {
			s.PG = string(pg)
		}
		resp, err := http.Get(s.URL + "/readyz")
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("not ready within %s\n%s", patience, s.Log())
}

// Log is what the server has printed.
func (s *Server) Log() string { return s.stderr.String() }

// PID is the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Kill ends the process with SIGKILL and waits for its end.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.done                 //nolint:errcheck // how a killed process ended is no news
	s.done <- nil
}

// Stop ends the process with SIGTERM and fails the test if it doesn't end well.
func (s *Server) Stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.done:
		s.done <- nil
		if err != nil {
			s.t.Fatalf("the server ended with %v\n%s", err, s.Log())
		}
	case <-time.After(patience):
		s.t.Fatalf("the server didn't stop within %s\n%s", patience, s.Log())
	}
}

// Do sends a request and returns status, header and body.
func (s *Server) Do(req *http.Request) (int, http.Header, []byte, error) {
	if s.Auth != "" && req.Header.Get("Authorization") == "" {
		req.Header.Set("Authorization", "Bearer "+s.Auth)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, body, err
}

// Post sends a body and returns status and answer; a failed connection fails the test.
func (s *Server) Post(path, contentType, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	status, _, answer, err := s.Do(req)
	if err != nil {
		s.t.Fatalf("POST %s: %v\n%s", path, err, s.Log())
	}
	return status, string(answer)
}

// Get returns status and answer.
func (s *Server) Get(path string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	status, _, body, err := s.Do(req)
	if err != nil {
		s.t.Fatalf("GET %s: %v\n%s", path, err, s.Log())
	}
	return status, string(body)
}

// Token makes a token and returns its text. The first one must have the scope admin: from then on the server wants tokens.
func (s *Server) Token(scopes ...string) string {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"name": s.t.Name(), "scopes": scopes})
	if err != nil {
		s.t.Fatal(err)
	}
	status, answer := s.Post("/v1/tokens", "application/json", string(body))
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil || status != http.StatusCreated || made.Token == "" {
		s.t.Fatalf("a token with %v: %d %s", scopes, status, answer)
	}
	if s.Auth == "" {
		s.Auth = made.Token
	}
	return made.Token
}

// Send posts events, waits until SQL sees them and returns the answer.
func (s *Server) Send(stream, body string) map[string]any {
	s.t.Helper()
	status, answer := s.Post("/v1/events/"+stream+"?wait=visible", "application/x-www-form-urlencoded", body)
	if status != http.StatusOK {
		s.t.Fatalf("events into %s: %d %s", stream, status, answer)
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		s.t.Fatalf("%s: %v", answer, err)
	}
	return out
}

// SQL runs a script that must succeed and returns its rows as NDJSON without the last line end.
func (s *Server) SQL(text string) string {
	s.t.Helper()
	status, answer := s.Post("/v1/sql?format=ndjson", "application/sql", text)
	if status != http.StatusOK {
		s.t.Fatalf("%s: %d %s\n%s", text, status, answer, s.Log())
	}
	return strings.TrimSpace(answer)
}

// CLI runs a client command against the server and returns stdout, stderr and the exit code.
func (s *Server) CLI(stdin string, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	return Run(s.t, stdin, append([]string{"LEAT_SERVER=" + s.URL}, CleanEnv()...), s.t.TempDir(), args...)
}

// Run runs the binary with an environment in a folder.
func Run(t testing.TB, stdin string, env []string, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	bin, err := Binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, env, strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), code
}

// lockedBuffer collects what a process prints while others read it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
