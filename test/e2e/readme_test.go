package e2e

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"leat/test/harness"
	"leat/test/services"
)

// problem is what curl prints of an answer that is an error.
var problem = regexp.MustCompile(`"status":[45][0-9][0-9]`)

// servers are the commands of the README that don't end: the test runs them beside the ones that follow.
var servers = map[string][]string{
	"make demo":      {"demo"},
	"bin/leat start": {"start"},
}

// TestREADME runs every command block of the README under sh -eu, in order, with the default port and folders.
func TestREADME(t *testing.T) {
	runBlocks(t, "README.md", nil, 4)
}

// TestGuides runs the blocks of each guide against its own new server.
func TestGuides(t *testing.T) {
	guides, err := filepath.Glob(filepath.Join(harness.Root(), "docs", "guides", "*.md"))
	if err != nil || len(guides) == 0 {
		t.Fatalf("found no guides: %v", err)
	}
	for _, path := range guides {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			if name == "postgres.md" {
				services.Command(t, "psql", "postgresql-client")
			}
			runBlocks(t, filepath.Join("docs", "guides", name), []string{"start"}, 1)
		})
	}
}

// runBlocks runs the command blocks of a document in order, at least so many, beside the server that first names, if it does.
func runBlocks(t *testing.T, document string, first []string, least int) {
	for _, addr := range []string{"127.0.0.1:4280", "127.0.0.1:4281"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Skip("a port that the commands use is taken on this machine: ", err)
		}
		l.Close()
	}
	text, err := os.ReadFile(filepath.Join(harness.Root(), document))
	if err != nil {
		t.Fatal(err)
	}
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(bin, filepath.Join(dir, "bin", "leat")); err != nil {
		t.Fatal(err)
	}
	stop := func() {}
	defer func() { stop() }()
	if first != nil {
		stop = background(t, dir, bin, first)
	}
	blocks := commandBlocks(string(text))
	if len(blocks) < least {
		t.Fatalf("found only %d command blocks", len(blocks))
	}
	for _, block := range blocks {
		if args, ok := servers[strings.TrimSpace(block)]; ok {
			stop()
			stop = background(t, dir, bin, args)
			continue
		}
		out := script(t, dir, block)
		t.Logf("%s\n%s", block, out)
		if problem.MatchString(out) {
			t.Errorf("a command of this block was answered with an error:\n%s\n%s", block, out)
		}
	}
}

// commandBlocks returns the texts between ```sh and ```.
func commandBlocks(markdown string) []string {
	var out []string
	for {
		_, rest, ok := strings.Cut(markdown, "```sh\n")
		if !ok {
			return out
		}
		block, after, _ := strings.Cut(rest, "```")
		out, markdown = append(out, block), after
	}
}

func script(t *testing.T, dir, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", text)
	cmd.Dir, cmd.Env = dir, harness.CleanEnv()
	// What the block has started ends with it, else it would keep the output open.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, text, out)
	}
	return string(out)
}

// background runs a server and returns when it is ready and, for the demo, has said what to try next.
func background(t *testing.T, dir, bin string, args []string) (stop func()) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, harness.CleanEnv(), log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	printed := func() string {
		b, err := os.ReadFile(log.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	wait(t, "the server is ready", func() bool {
		resp, err := http.Get("http://127.0.0.1:4280/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK && (args[0] != "demo" || strings.Contains(printed(), "In another terminal"))
	}, printed)
	return func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("leat %v ended with %v\n%s", args, err, printed())
		}
	}
}

// wait polls until the condition holds, for a minute.
func wait(t *testing.T, what string, ok func() bool, detail func() string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("it is not so that %s\n%s", what, detail())
}
