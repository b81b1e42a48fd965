package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"leat/internal/auth"
	"leat/internal/control"
	"leat/internal/types"
)

// Bounds of the audit log: two files, of which the older one goes when the newer is full; about 50,000 entries.
const (
	auditFileBytes = 8 << 20
	auditText      = 1 << 10 // bytes of one text of an entry; a longer one is cut
	// auditFailures is how many failed authentications a minute are written; anybody can cause them. Further ones are counted in the next entry.
	auditFailures = 30
)

// audit is the log of what admins did: JSON lines in audit/audit.log of the data folder, appended and synced. It may be used from any goroutine.
type audit struct {
	dir string
	log *slog.Logger
	now func() time.Time

	mu         sync.Mutex
	file       *os.File  // guarded by mu
	size       int64     // of file; guarded by mu
	minute     time.Time // of the failures that are counted; guarded by mu
	failures   int       // written in that minute; guarded by mu
	suppressed int       // failures that were not written; guarded by mu
}

// auditEntry is one line.
type auditEntry struct {
	At        time.Time `json:"at"`
	Principal string    `json:"principal,omitempty"`
	Action    string    `json:"action"`
	Object    string    `json:"object,omitempty"`
	Outcome   string    `json:"outcome"`
	Detail    string    `json:"detail,omitempty"`
	Remote    string    `json:"remote,omitempty"`
	Request   string    `json:"request_id,omitempty"`
}

func openAudit(dir string, log *slog.Logger) (*audit, error) {
	a := &audit{dir: dir, log: log, now: time.Now}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return a, a.open()
}

func (a *audit) name() string     { return filepath.Join(a.dir, "audit.log") }
func (a *audit) previous() string { return filepath.Join(a.dir, "audit.1.log") }

// open opens the file for appending and ends a line that a crash has cut. mu is held, or nobody else knows a.
func (a *audit) open() error {
	f, err := os.OpenFile(a.name(), os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("audit log: %w", err), f.Close())
	}
	a.file, a.size = f, info.Size()
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, max(a.size-1, 0)); a.size > 0 && (err != nil || last[0] != '\n') {
		n, err := f.Write([]byte("\n"))
		a.size += int64(n)
		return err
	}
	return nil
}

// record writes an event. An event that can't be written is in the server's log instead: what was done is done.
func (a *audit) record(e auth.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now().UTC()
	failed := e.Action == auth.FailedAuthentication
	if failed && !a.mayWriteFailure(now) {
		a.suppressed++
		return
	}
	if failed && a.suppressed > 0 {
		e.Detail += fmt.Sprintf(" (%d more failed before and are not listed)", a.suppressed)
		a.suppressed = 0
	}
	text := func(s string) string { return cut(auth.Redact(s)) }
	line, err := json.Marshal(auditEntry{
		At: now.Truncate(time.Microsecond), Principal: text(e.Principal), Action: text(e.Action), Object: text(e.Object), Outcome: text(e.Outcome),
		Detail: text(e.Detail), Remote: text(e.Origin.Remote), Request: text(e.Origin.Request),
	})
	if err == nil {
		err = a.append(append(line, '\n'), !failed)
	}
	if err != nil {
		a.log.Error("the audit log can't be written", "error", err, "principal", text(e.Principal), "action", e.Action, "object", text(e.Object), "outcome", e.Outcome)
	}
}

// mayWriteFailure counts failed authentications by the minute; mu is held.
func (a *audit) mayWriteFailure(now time.Time) bool {
	if now.Sub(a.minute) >= time.Minute {
		a.minute, a.failures = now, 0
	}
	a.failures++
	return a.failures <= auditFailures
}

// append writes a line, in a new file where this one is full; mu is held.
func (a *audit) append(line []byte, sync bool) error {
	if a.file == nil {
		return fs.ErrClosed
	}
	if a.size+int64(len(line)) > auditFileBytes {
		if err := errors.Join(a.file.Sync(), a.file.Close(), os.Rename(a.name(), a.previous())); err != nil {
			return err
		}
		if err := a.open(); err != nil {
			return err
		}
	}
	n, err := a.file.Write(line)
	a.size += int64(n)
	if err != nil || !sync {
		return err
	}
	return a.file.Sync()
}

// close ends the log.
func (a *audit) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	f := a.file
	a.file = nil
	return errors.Join(f.Sync(), f.Close())
}

// cut bounds a text at a character.
func cut(s string) string {
	if len(s) <= auditText {
		return s
	}
	s = s[:auditText]
	for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) {
		s = s[:len(s)-1]
	}
	return s + "..."
}

// auditColumns are those of leat_system.audit.
func auditColumns() []types.Column {
	out := []types.Column{{Name: "recorded_at", Type: types.Of(types.TimestampTZ)}}
	for _, name := range []string{"principal", "action", "object", "outcome", "detail", "remote", "request_id"} {
		out = append(out, types.Column{Name: name, Type: types.Of(types.Varchar)})
	}
	return out
}

// rows reads the files, oldest entries first. A damaged line is passed over.
func (a *audit) rows(context.Context) ([][]any, error) {
	var rows [][]any
	for _, name := range []string{a.previous(), a.name()} {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		lines.Buffer(nil, 64<<10)
		for lines.Scan() {
			var e auditEntry
			if json.Unmarshal(lines.Bytes(), &e) == nil && !e.At.IsZero() {
				rows = append(rows, []any{e.At, e.Principal, e.Action, e.Object, e.Outcome, e.Detail, e.Remote, e.Request})
			}
		}
	}
	return rows, nil
}

// auditStart tells which settings differ from their defaults. None of them is a secret.
func (s *server) auditStart() {
	defaults := DefaultConfig()
	usual := defaults.fields()
	var changed []string
	for i, f := range s.cfg.fields() {
		if now, was := f.text(), usual[i].text(); now != was {
			changed = append(changed, f.key+"="+now)
		}
	}
	s.audit.record(auth.Event{Action: "start server", Object: s.cfg.Listen, Outcome: "ok", Detail: strings.TrimSpace(Version() + " " + strings.Join(changed, " "))})
}

// exec runs a script of definitions and tells the audit log what it changed, or that somebody may not.
func (s *server) exec(ctx context.Context, who auth.Principal, script control.Script) (control.Outcome, error) {
	var done control.Outcome
	err := error(types.Errorf(types.PermissionDenied, "this token sees some rows only, so it may not run SQL of its own").
		WithHint("call endpoints, or look rows up by key: GET /openapi.json lists what there is"))
	if !who.Filtered() {
		done, err = s.control.Exec(ctx, who, script)
	}
	if types.HasCode(err, types.PermissionDenied) {
		s.audit.record(auth.Event{Principal: who.ID, Action: "run sql", Outcome: string(types.PermissionDenied), Detail: err.Error(), Origin: auth.OriginOf(ctx)})
	}
	for _, r := range done.Results {
		if r.Status == "" || r.Status == "unchanged" {
			continue
		}
		s.audit.record(auth.Event{Principal: who.ID, Action: strings.ToLower(r.Statement), Object: r.Name, Outcome: "ok", Detail: r.Status, Origin: auth.OriginOf(ctx)})
	}
	return done, err
}
