package app

import (
	"context"
	"runtime/debug"
	"time"

	"leat/internal/api"
	"leat/internal/bus/pebblelog"
	"leat/internal/duck"
	"leat/internal/ingest"
	"leat/internal/observe"
	"leat/internal/pipeline"
)

// revision is the source's version, as the build noted it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// register makes metrics of what the parts count.
func (s *server) register() {
	s.registerLog()
	s.registerLoader()
	s.registerIngest()
	s.registerViews()
	s.registerPush()
	s.registerAccess()
	s.registerPG()
	s.registerResults()
	s.registerPaths()
	s.metrics.Register(observe.Desc{Name: "leat_ready", Help: "Whether the server takes requests."}, func() float64 {
		if ok, _ := s.health.Ready(); ok {
			return 1
		}
		return 0
	})
}

func (s *server) registerLog() {
	for _, m := range []struct {
		name, help string
		kind       observe.Kind
		read       func(pebblelog.Metrics) float64
	}{
		{"leat_log_appends_total", "Appends that were acknowledged.", observe.Counter, func(m pebblelog.Metrics) float64 { return float64(m.Appends) }},
		{"leat_log_rows_total", "Rows that were acknowledged.", observe.Counter, func(m pebblelog.Metrics) float64 { return float64(m.Rows) }},
		{"leat_log_written_bytes_total", "Bytes written to the log.", observe.Counter, func(m pebblelog.Metrics) float64 { return float64(m.Bytes) }},
		{"leat_log_commits_total", "Commits, each with one fsync.", observe.Counter, func(m pebblelog.Metrics) float64 { return float64(m.Groups) }},
		{"leat_log_marks_total", "Marks that raised a watermark in silence.", observe.Counter, func(m pebblelog.Metrics) float64 { return float64(m.Marks) }},
		{"leat_log_duplicates_total", "Appends that repeated an Idempotency-Key.", observe.Counter, func(m pebblelog.Metrics) float64 { return float64(m.Duplicates) }},
		{"leat_log_future_rows_total", "Rows too far in the future to move the watermark.", observe.Counter, func(m pebblelog.Metrics) float64 { return float64(m.FutureRows) }},
		{"leat_log_tail_hits_total", "Reads served from memory.", observe.Counter, func(m pebblelog.Metrics) float64 { return float64(m.TailHits) }},
		{"leat_log_tail_misses_total", "Reads served from disk.", observe.Counter, func(m pebblelog.Metrics) float64 { return float64(m.TailMisses) }},
		{"leat_log_tail_bytes", "Decoded recent events in memory.", observe.Gauge, func(m pebblelog.Metrics) float64 { return float64(m.TailBytes) }},
		{"leat_log_queue_bytes", "Appends that wait for their commit.", observe.Gauge, func(m pebblelog.Metrics) float64 { return float64(m.QueueBytes) }},
		{"leat_log_disk_bytes", "Disk that the log takes.", observe.Gauge, func(m pebblelog.Metrics) float64 { return float64(m.DiskBytes) }},
	} {
		s.metrics.Register(observe.Desc{Name: m.name, Help: m.help, Kind: m.kind}, func() float64 { return m.read(s.bus.Metrics()) })
	}
	s.metrics.RegisterHistogram(observe.Desc{Name: "leat_log_sync_seconds", Help: "From the write of a commit to the end of its fsync."}, func() observe.Buckets {
		m := s.bus.Metrics()
		b := observe.Buckets{Sum: m.SyncSum.Seconds()}
		for i, n := range m.SyncLatency {
			if i < len(m.SyncLatency)-1 {
				b.Bounds = append(b.Bounds, (time.Microsecond << i).Seconds())
			}
			b.Counts = append(b.Counts, n)
		}
		return b
	})
}

func (s *server) registerLoader() {
	s.metrics.Register(observe.Desc{Name: "leat_store_rows_total", Help: "Rows loaded into the store.", Kind: observe.Counter}, func() float64 { return float64(s.loader.Metrics().Rows) })
	s.metrics.Register(observe.Desc{Name: "leat_store_load_failures_total", Help: "Loads that failed and were tried again.", Kind: observe.Counter}, func() float64 { return float64(s.loader.Metrics().Failures) })
	s.metrics.Register(observe.Desc{Name: "leat_store_skipped_total", Help: "Damaged or trimmed ranges of the log that no query sees.", Kind: observe.Counter}, func() float64 { return float64(s.loader.Metrics().Skipped) })
	s.metrics.Register(observe.Desc{Name: "leat_store_lag_rows", Help: "Rows that are durable and that SQL does not see yet."}, func() float64 { return float64(s.backlog().Waiting) })
}

func (s *server) registerIngest() {
	s.metrics.Register(observe.Desc{Name: "leat_ingest_in_flight_bytes", Help: "Bodies being read and decoded."}, func() float64 { return float64(s.ingest.Metrics().InFlightBytes) })
	s.metrics.Register(observe.Desc{Name: "leat_dead_letters", Help: "Dead letters that wait for a repair."}, func() float64 { return float64(s.ingest.Metrics().Letters) })
	s.metrics.RegisterEach(observe.Desc{Name: "leat_ingest_rows_total", Help: "Rows accepted.", Kind: observe.Counter}, []string{"stream"}, func(emit func(float64, ...string)) {
		for _, m := range s.ingest.Metrics().Streams {
			emit(float64(m.Rows), m.Stream)
		}
	})
	s.metrics.RegisterEach(observe.Desc{Name: "leat_ingest_dead_letters_total", Help: "Records that became dead letters.", Kind: observe.Counter}, []string{"stream", "reason"}, func(emit func(float64, ...string)) {
		for _, m := range s.ingest.Metrics().Streams {
			for code, n := range m.DeadLetters {
				emit(float64(n), m.Stream, string(code))
			}
		}
	})
	s.metrics.RegisterEach(observe.Desc{Name: "leat_ingest_refused_total", Help: "Requests that were refused.", Kind: observe.Counter}, []string{"code"}, func(emit func(float64, ...string)) {
		for code, n := range s.ingest.Metrics().Refused {
			emit(float64(n), string(code))
		}
	})
	s.metrics.RegisterHistogram(observe.Desc{Name: "leat_ingest_ack_seconds", Help: "From a request's arrival until its events are durable."}, func() observe.Buckets {
		h := s.ingest.Metrics().Latency
		return observe.Buckets{Bounds: ingest.LatencyBounds[:], Counts: h.Counts[:], Sum: h.Sum}
	})
}

// registerAccess makes metrics of who was let in.
func (s *server) registerAccess() {
	s.metrics.Register(observe.Desc{Name: "leat_auth_failures_total", Help: "Tokens and JWTs that were refused.", Kind: observe.Counter}, func() float64 { return float64(s.tokens.Metrics().Failures) })
	s.metrics.Register(observe.Desc{Name: "leat_auth_jwt_verified_total", Help: "JWTs whose signature was checked; repeated ones are remembered.", Kind: observe.Counter}, func() float64 { return float64(s.tokens.Metrics().Verified) })
	s.metrics.RegisterEach(observe.Desc{Name: "leat_limited_total", Help: "Requests refused for a limit of their principal or endpoint.", Kind: observe.Counter}, []string{"of", "limit"}, func(emit func(float64, ...string)) {
		m := s.limiter.Metrics()
		emit(float64(m.PrincipalRate), "principal", "rate")
		emit(float64(m.PrincipalConcurrent), "principal", "concurrent")
		emit(float64(m.EndpointRate), "endpoint", "rate")
		emit(float64(m.EndpointConcurrent), "endpoint", "concurrent")
	})
}

// registerViews makes metrics of materialized views and of the tables that the engine keeps.
func (s *server) registerViews() {
	for _, m := range []struct {
		name, help string
		kind       observe.Kind
		read       func(pipeline.Status) float64
	}{
		{"leat_view_live", "Whether a view has read what exists and goes on.", observe.Gauge, func(v pipeline.Status) float64 {
			if v.State == pipeline.Live {
				return 1
			}
			return 0
		}},
		{"leat_view_lag", "Offsets of the log that wait for a view.", observe.Gauge, func(v pipeline.Status) float64 { return float64(v.Lag) }},
		{"leat_view_rows", "Rows of a view.", observe.Gauge, func(v pipeline.Status) float64 { return float64(v.Rows) }},
		{"leat_view_state_bytes", "State that a view keeps.", observe.Gauge, func(v pipeline.Status) float64 { return float64(v.StateBytes) }},
		{"leat_view_failed_total", "Rows that a view left out because an expression failed.", observe.Counter, func(v pipeline.Status) float64 { return float64(v.Failed) }},
		{"leat_view_late_total", "Rows that a view left out because they were late.", observe.Counter, func(v pipeline.Status) float64 { return float64(v.Late) }},
		{"leat_view_skipped_total", "Damaged or trimmed ranges of the log that a view passed over.", observe.Counter, func(v pipeline.Status) float64 { return float64(v.Skipped) }},
	} {
		s.metrics.RegisterEach(observe.Desc{Name: m.name, Help: m.help, Kind: m.kind}, []string{"view"}, func(emit func(float64, ...string)) {
			snapshot := s.catalog.Snapshot()
			for id, v := range s.views.manager.Status() {
				if o := snapshot.ByID(id); o != nil {
					emit(m.read(v), o.Name)
				}
			}
		})
	}
	s.metrics.Register(observe.Desc{Name: "leat_state_disk_bytes", Help: "Disk that the state of views takes."}, func() float64 {
		m := s.views.states.Metrics()
		if m == nil {
			return 0
		}
		return float64(m.DiskSpaceUsage())
	})
}

// registerResults makes metrics of the answers of endpoints that are kept.
func (s *server) registerResults() {
	for _, m := range []struct {
		name, help string
		kind       observe.Kind
		read       func(api.CacheMetrics) int64
	}{
		{"leat_result_cache_hits_total", "Calls of endpoints answered by a kept answer that still holds, or by one that another call was making.", observe.Counter, func(m api.CacheMetrics) int64 { return m.Hits }},
		{"leat_result_cache_misses_total", "Calls of endpoints whose answer could have been kept and was not.", observe.Counter, func(m api.CacheMetrics) int64 { return m.Misses }},
		{"leat_result_cache_stale_total", "Calls of endpoints answered by an older answer because the server was at a limit.", observe.Counter, func(m api.CacheMetrics) int64 { return m.Stale }},
		{"leat_result_cache_bytes", "Answers of endpoints that are kept.", observe.Gauge, func(m api.CacheMetrics) int64 { return m.Bytes }},
	} {
		s.metrics.Register(observe.Desc{Name: m.name, Help: m.help, Kind: m.kind}, func() float64 { return float64(m.read(s.results.Metrics())) })
	}
}

// status is the answer of GET /v1/status.
type status struct {
	Version       string         `json:"version"`
	Ready         bool           `json:"ready"`
	UptimeSeconds float64        `json:"uptime_seconds"`
	Data          string         `json:"data"`
	Objects       map[string]int `json:"objects"`
	Rows          int64          `json:"rows_loaded_since_start"`
	LagRows       int64          `json:"lag_rows"`
	DeadLetters   int64          `json:"dead_letters"`
	LogBytes      int64          `json:"log_bytes"`
	Memory        int64          `json:"memory_bytes"`
	StoreError    string         `json:"store_error,omitempty"`
	// Views counts materialized views by what they are doing.
	Views    map[string]int `json:"views,omitempty"`
	ViewsLag int64          `json:"views_lag"`
}

func (s *server) status(context.Context) (any, error) {
	ready, _ := s.health.Ready()
	m := s.loader.Metrics()
	out := status{
		Version: Version(), Ready: ready, UptimeSeconds: time.Since(s.started).Seconds(), Data: s.path, Objects: map[string]int{},
		Rows: m.Rows, LagRows: s.backlog().Waiting, DeadLetters: s.ingest.Metrics().Letters, LogBytes: s.bus.Metrics().DiskBytes, Memory: duck.ResidentBytes(),
	}
	for kind, n := range countKinds(s.catalog.Snapshot()) {
		out.Objects[string(kind)+"s"] = n
	}
	out.Views, out.ViewsLag = s.countViews()
	if m.Err != nil {
		out.StoreError = m.Err.Error()
	}
	return out, nil
}

// countViews counts materialized views by state, and the offsets that wait for the one that is furthest behind.
func (s *server) countViews() (states map[string]int, lag int64) {
	snapshot := s.catalog.Snapshot()
	states = map[string]int{}
	for id, v := range s.views.manager.Status() {
		if o := snapshot.ByID(id); o != nil && o.Continuous() {
			states[string(v.State)]++
			lag = max(lag, v.Lag)
		}
	}
	return states, lag
}
