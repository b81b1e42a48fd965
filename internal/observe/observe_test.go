package observe

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetricsAreExposedAndWellNamed(t *testing.T) {
	m := New(Build{Version: "1.2.3", Commit: "abc", GoVersion: "go1.26"})
	m.Register(Desc{Name: "leat_log_appends_total", Kind: Counter, Help: "Appends."}, func() float64 { return 7 })
	m.RegisterEach(Desc{Name: "leat_stream_rows_total", Kind: Counter, Help: "Rows."}, []string{"stream"}, func(emit func(float64, ...string)) {
		emit(3, "orders")
		emit(4, "bids")
		emit(5, "bids") // a repeated series must not break the scrape
	})
	h := m.Histogram(Desc{Name: "leat_append_duration_seconds", Help: "Appends."}, LatencyBuckets)
	h.Observe(3 * time.Millisecond)
	m.RegisterHistogram(Desc{Name: "leat_sync_duration_seconds", Help: "Syncs."}, func() Buckets {
		return Buckets{Bounds: []float64{.1, 1}, Counts: []int64{2, 3, 4}, Sum: 9.5}
	})
	web := m.HTTP()
	web.Begin()
	web.Begin()
	web.End("POST /v1/sql", "POST", 404, time.Millisecond)
	out := scrape(t, m)
	for _, want := range []string{
		`leat_build_info{commit="abc",goversion="go1.26",version="1.2.3"} 1`,
		`leat_log_appends_total 7`, `leat_stream_rows_total{stream="bids"} 4`, `leat_stream_rows_total{stream="orders"} 3`,
		`leat_append_duration_seconds_bucket{le="0.005"} 1`, `leat_append_duration_seconds_sum 0.003`,
		`leat_sync_duration_seconds_bucket{le="1"} 5`, `leat_sync_duration_seconds_bucket{le="+Inf"} 9`, `leat_sync_duration_seconds_sum 9.5`,
		`leat_http_requests_total{method="POST",route="POST /v1/sql",status="4xx"} 1`, `leat_http_requests_in_flight 1`,
		`go_goroutines`, `process_resident_memory_bytes`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("missing %s", want)
		}
	}
	problems, err := promlint.New(strings.NewReader(out)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "leat_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestSeriesAreBounded(t *testing.T) {
	m := New(Build{})
	m.RegisterEach(Desc{Name: "leat_many", Help: "Many."}, []string{"n"}, func(emit func(float64, ...string)) {
		for i := range MaxSeries + 5 {
			emit(1, fmt.Sprint(i))
		}
	})
	if n := strings.Count(scrape(t, m), "leat_many{"); n != MaxSeries {
		t.Errorf("%d series", n)
	}
	if !strings.Contains(scrape(t, m), "leat_metrics_dropped_series_total") || m.dropped.Load() != 10 {
		t.Errorf("%d dropped series counted", m.dropped.Load())
	}
}

func TestBadMetricNamesPanic(t *testing.T) {
	for _, d := range []Desc{
		{Name: "orders", Help: "x"}, {Name: "leat_Orders", Help: "x"}, {Name: "leat_x"},
		{Name: "leat_x_total", Help: "x"}, {Name: "leat_x", Help: "x", Kind: Counter},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v passes", d)
				}
			}()
			New(Build{}).Register(d, func() float64 { return 0 })
		}()
	}
}

func TestHealth(t *testing.T) {
	var h Health
	if ok, checks := h.Ready(); !ok || len(checks) != 0 {
		t.Errorf("the zero value is not ready: %v", checks)
	}
	var start Gate
	var broken error
	h.Add("start", Readiness, start.Check)
	h.Add("log", Liveness, func() error { return broken })
	if ok, checks := h.Ready(); ok || fmt.Sprint(checks) != "[{log true } {start false not ready}]" {
		t.Errorf("before start: %v %v", ok, checks)
	}
	if ok, checks := h.Alive(); !ok || len(checks) != 1 {
		t.Errorf("a server that starts must be alive: %v", checks)
	}
	start.Open()
	if ok, _ := h.Ready(); !ok {
		t.Error("not ready after start")
	}
	start.Shut("stopping")
	if _, checks := h.Ready(); checks[1].Reason != "stopping" {
		t.Errorf("checks %v", checks)
	}
	broken = errors.New("fsync failed")
	if ok, checks := h.Alive(); ok || checks[0].Reason != "fsync failed" {
		t.Errorf("a broken log is alive: %v", checks)
	}
}

func TestLogger(t *testing.T) {
	var b bytes.Buffer
	log, err := NewLogger(&b, "", slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("started", "port", 4280)
	log.Debug("unseen")
	if s := b.String(); !strings.HasPrefix(s, "{") || !strings.Contains(s, `"port":4280`) || strings.Contains(s, "unseen") {
		t.Errorf("a pipe gets %q", s)
	}
	if _, err := NewLogger(&b, "xml", slog.LevelInfo); err == nil {
		t.Error("format xml passes")
	}
	for s, want := range map[string]slog.Level{"": slog.LevelInfo, "DEBUG": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError} {
		if got, err := ParseLevel(s); err != nil || got != want {
			t.Errorf("ParseLevel(%q) = %v, %v", s, got, err)
		}
	}
	if _, err := ParseLevel("loud"); err == nil {
		t.Error("level loud passes")
	}
}

func BenchmarkHTTPMeter(b *testing.B) {
	web := New(Build{}).HTTP()
	b.ReportAllocs()
	for b.Loop() {
		web.Begin()
		web.End("POST /v1/events/{stream}", "POST", 200, time.Millisecond)
	}
}
