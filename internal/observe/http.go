package observe

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// HTTP meters requests. It is safe for any goroutine.
type HTTP struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

// HTTP registers the metrics of the HTTP server: leat_http_requests_total, leat_http_request_duration_seconds and
// leat_http_requests_in_flight. Call it once.
func (m *Metrics) HTTP() *HTTP {
	h := &HTTP{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leat_http_requests_total", Help: "Requests answered, by route, method and class of status.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "leat_http_request_duration_seconds", Help: "Time from a request's header to the end of its answer.", Buckets: LatencyBuckets,
		}, []string{"route", "method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "leat_http_requests_in_flight", Help: "Requests being answered now.",
		}),
	}
	m.registry.MustRegister(h.requests, h.duration, h.inFlight)
	return h
}

// Begin counts a request as under way.
func (h *HTTP) Begin() { h.inFlight.Inc() }

// End counts a request as answered. Route is the pattern that matched, never a path, and method one of a known few,
// so that clients cannot make series.
func (h *HTTP) End(route, method string, status int, took time.Duration) {
	h.inFlight.Dec()
	h.requests.WithLabelValues(route, method, strconv.Itoa(status/100)+"xx").Inc()
	h.duration.WithLabelValues(route, method).Observe(took.Seconds())
}
