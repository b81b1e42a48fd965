package e2e

import (
	"fmt"
	"testing"
	"time"

	"leat/test/harness"
)

// TestSilenceClosesWindows: nothing comes any more, in one of two partitions nothing ever did, and still the windows close.
func TestSilenceClosesWindows(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL(`CREATE STREAM s (k VARCHAR, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL 1 SECONDS) PARTITION BY (k) WITH (partitions = 2, idle = '1 second');
		CREATE MATERIALIZED VIEW closed AS SELECT k, window_end, count(*) AS n FROM TUMBLE(s, ts, INTERVAL 1 SECONDS) GROUP BY k, window_end EMIT ON WINDOW CLOSE;
		CREATE MATERIALIZED VIEW sessions AS SELECT k, window_start, window_end, count(*) AS n FROM SESSION(s, ts, INTERVAL 1 SECONDS, [k]) GROUP BY ALL EMIT ON WINDOW CLOSE`)
	now := time.Now().UTC().Truncate(time.Second)
	at := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05.000000") }
	s.Send("s", fmt.Sprintf("{\"k\":\"a\",\"ts\":%q}\n{\"k\":\"a\",\"ts\":%q}\n", at(0), at(100*time.Millisecond)))
	if got := s.SQL("SELECT k, n FROM closed"); got != "" {
		t.Errorf("before its end a window has %s", got)
	}
	eventually(t, func() string {
		return expect(s.SQL("SELECT k, window_end, n FROM closed"), fmt.Sprintf(`{"k":"a","window_end":%q,"n":2}`, at(time.Second)))
	})
	eventually(t, func() string {
		return expect(s.SQL("SELECT k, window_start, window_end, n FROM sessions"),
			fmt.Sprintf(`{"k":"a","window_start":%q,"window_end":%q,"n":2}`, at(0), at(1100*time.Millisecond)))
	})
	// What comes now is late.
	s.Send("s", fmt.Sprintf("{\"k\":\"a\",\"ts\":%q}\n", at(200*time.Millisecond)))
	eventually(t, func() string {
		return expect(s.SQL("SELECT count(*) AS n FROM leat_system.dead_letters WHERE reason = 'late_row'"), `{"n":2}`)
	})
	if got, want := s.SQL("SELECT n FROM closed"), `{"n":2}`; got != want {
		t.Errorf("after a late row the window has %s, want %s", got, want)
	}
}
