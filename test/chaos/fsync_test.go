package chaos

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"leat/test/harness"
)

// TestTheAnswerComesAfterTheFsync traces the server's system calls: between reading an event and writing the answer,
// a sync of a file of the log must have ended well.
func TestTheAnswerComesAfterTheFsync(t *testing.T) {
	strace := tool(t, "strace")
	trace := filepath.Join(t.TempDir(), "trace")
	wrapper := []string{strace, "-D", "-f", "-y", "-s", "64", "-e", "trace=fsync,fdatasync,read,write", "-o", trace}
	data := filepath.Join(t.TempDir(), "data")
	s := harness.StartUnder(t, wrapper, data)
	const events = 5
	for range events {
		s.Send("e", `{"marker":1}`)
	}
	s.Stop()
	answered := 0
	for deadline := time.Now().Add(time.Minute); answered < events && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		answered = check(t, trace, filepath.Join(data, "log"))
		if t.Failed() {
			return
		}
	}
	if answered != events {
		t.Errorf("the trace shows %d answers of %d", answered, events)
	}
}

var (
	syncBegan = regexp.MustCompile(`^(\d+) +f(?:data)?sync\(\d+<([^>]*)>`)
	syncEnded = regexp.MustCompile(`^(\d+) +<\.\.\. f(?:data)?sync resumed>.*= 0`)
)

// check counts the answers to events and fails the test at one without a sync of the log before it.
func check(t *testing.T, trace, log string) (answered int) {
	t.Helper()
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	syncing := map[string]bool{} // threads in a sync of the log
	open, synced := false, false // an event was read and not yet answered; the log was synced since
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		began, ended := syncBegan.FindStringSubmatch(line), syncEnded.FindStringSubmatch(line)
		switch {
		case began != nil && strings.HasPrefix(began[2], log):
			syncing[began[1]] = strings.Contains(line, "unfinished")
			synced = synced || strings.HasSuffix(line, "= 0")
		case ended != nil && syncing[ended[1]]:
			syncing[ended[1]], synced = false, true
		case strings.Contains(line, `OST /v1/events/e`), strings.Contains(line, `"POST /v1/event"`):
			// net/http may have read the first byte by itself, or the first 14, which tell HTTP/2 from HTTP/1
			open, synced = true, false
		case open && strings.Contains(line, `"HTTP/1.1 200`):
			if !synced {
				t.Errorf("answered before the log was synced: %s", line)
			}
			open = false
			answered++
		}
	}
	return answered
}

// tool finds a program, installing its Debian package where this machine can.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getuid() != 0 {
		t.Skipf("%s is not installed, and only root could install it", name)
	}
	for _, args := range [][]string{{"update"}, {"install", "-y", "--no-install-recommends", name}} {
		if out, err := exec.Command("apt-get", args...).CombinedOutput(); err != nil {
			t.Skipf("%s is not installed and can't be: %v\n%.500s", name, err, out)
		}
	}
	path, err = exec.LookPath(name)
	if err != nil {
		t.Skip(err)
	}
	return path
}
