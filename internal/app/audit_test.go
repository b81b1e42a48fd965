package app

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"leat/internal/auth"
)

func newAudit(t *testing.T, dir string) *audit {
	t.Helper()
	a, err := openAudit(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.close() })
	return a
}

func auditRows(t *testing.T, a *audit) [][]any {
	t.Helper()
	rows, err := a.rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestAuditSurvives(t *testing.T) {
	dir := t.TempDir()
	a := newAudit(t, dir)
	a.record(auth.Event{Principal: "p", Action: "create token", Object: "o\n", Outcome: "ok", Detail: strings.Repeat("ä", 2000), Origin: auth.Origin{Remote: "127.0.0.1:1", Request: "r"}})
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	// A crash in the middle of a line.
	f, err := os.OpenFile(a.name(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"at":"2026-`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	a = newAudit(t, dir)
	a.record(auth.Event{Action: "second", Outcome: "ok"})
	rows := auditRows(t, a)
	if len(rows) != 2 || rows[0][2] != "create token" || rows[0][3] != "o\n" || rows[1][2] != "second" {
		t.Fatalf("%v", rows)
	}
	if detail := rows[0][5].(string); len(detail) > auditText+3 || strings.ContainsRune(detail, '\uFFFD') {
		t.Errorf("%d bytes of detail", len(detail))
	}
	if info, err := os.Stat(a.name()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if len(rows[0]) != len(auditColumns()) {
		t.Errorf("%d values, %d columns", len(rows[0]), len(auditColumns()))
	}
}

func TestAuditIsBounded(t *testing.T) {
	dir := t.TempDir()
	a := newAudit(t, dir)
	a.size = auditFileBytes - 100 // as if it were nearly full
	for i := range 3 {
		a.record(auth.Event{Action: fmt.Sprint("a", i), Outcome: "ok"})
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v %v", entries, err)
	}
	rows := auditRows(t, a)
	if len(rows) != 3 || rows[0][2] != "a0" || rows[2][2] != "a2" {
		t.Errorf("%v", rows)
	}
	a.size = auditFileBytes
	a.record(auth.Event{Action: "a3", Outcome: "ok"})
	a.size = auditFileBytes
	a.record(auth.Event{Action: "a4", Outcome: "ok"})
	if rows := auditRows(t, a); len(rows) != 2 || rows[0][2] != "a3" {
		t.Errorf("the oldest file stays: %v", rows)
	}
}

// Anybody can fail to authenticate, any number of times: the log takes some a minute and counts the others.
func TestAuditOfFailuresIsLimited(t *testing.T) {
	a := newAudit(t, t.TempDir())
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	a.now = func() time.Time { return now }
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			for range 100 {
				a.record(auth.Event{Action: auth.FailedAuthentication, Outcome: "unauthenticated"})
			}
		})
	}
	group.Wait()
	a.record(auth.Event{Action: "create token", Outcome: "ok"})
	now = now.Add(time.Minute)
	a.record(auth.Event{Action: auth.FailedAuthentication, Outcome: "unauthenticated", Detail: "typo"})
	rows := auditRows(t, a)
	if len(rows) != auditFailures+2 || !strings.Contains(fmt.Sprint(rows[len(rows)-1]), "typo (970 more failed") {
		t.Errorf("%d rows, the last is %v", len(rows), rows[len(rows)-1])
	}
}

func TestAuditThatCantBeWrittenIsLogged(t *testing.T) {
	var log bytes.Buffer
	a := newAudit(t, t.TempDir())
	a.log = slog.New(slog.NewTextHandler(&log, nil))
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	a.record(auth.Event{Principal: "boss", Action: "revoke token", Object: "x", Outcome: "ok"})
	if !strings.Contains(log.String(), "boss") || !strings.Contains(log.String(), "revoke token") {
		t.Errorf("%s", log.String())
	}
}
