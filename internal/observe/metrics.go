// Package observe shows how Leat is doing: metrics for Prometheus, health and logs. It is the only importer of
// Prometheus; other packages return a Metrics() struct, whose fields app registers here as small functions.
package observe

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// MaxSeries bounds the series of one metric with labels; what goes beyond is left out and counted
// in leat_metrics_dropped_series_total.
const MaxSeries = 10_000

// Build says what is running; it becomes leat_build_info.
type Build struct {
	Version, Commit, GoVersion string
}

// Metrics is a registry of metrics. It may be used from any goroutine.
type Metrics struct {
	registry *prometheus.Registry
	dropped  atomic.Int64
}

// New makes a registry with the metrics of the Go runtime, the process and the build.
func New(b Build) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.Register(Desc{Name: "leat_build_info", Help: "What is running; always 1.",
		Labels: map[string]string{"version": b.Version, "commit": b.Commit, "goversion": b.GoVersion}}, func() float64 { return 1 })
	m.Register(Desc{Name: "leat_metrics_dropped_series_total", Kind: Counter, Help: "Series left out of an answer of /metrics because their metric had too many."},
		func() float64 { return float64(m.dropped.Load()) })
	return m
}

// Kind tells a value that only rises from one that moves both ways.
type Kind uint8

// The kinds of metrics that are read by functions. Histograms have their own type.
const (
	Gauge Kind = iota
	Counter
)

// Desc describes a metric. Name starts with leat_ and ends in its base unit (_seconds, _bytes); a counter ends in _total.
type Desc struct {
	Name, Help string
	Kind       Kind
	// Labels are constant: one call of Register for each set.
	Labels map[string]string
}

var nameRule = regexp.MustCompile(`^leat_[a-z0-9]+(_[a-z0-9]+)*$`)

func (d Desc) check() {
	isTotal := len(d.Name) > 6 && d.Name[len(d.Name)-6:] == "_total"
	if !nameRule.MatchString(d.Name) || d.Help == "" || isTotal != (d.Kind == Counter) {
		panic(fmt.Sprintf("BUG: metric %q needs the prefix leat_, a help text, and the suffix _total exactly if it is a counter", d.Name))
	}
}

func (d Desc) valueType() prometheus.ValueType {
	if d.Kind == Counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

// Register adds a value that read returns at each scrape; read must be quick and may be called from several
// goroutines. A bad name or a second registration of one name and labels is a programmer's error and panics.
func (m *Metrics) Register(d Desc, read func() float64) {
	d.check()
	m.RegisterEach(d, nil, func(emit func(v float64, labels ...string)) { emit(read()) })
}

// RegisterEach adds a metric whose series come and go, such as one per stream: at each scrape collect calls emit once for
// each series, with the values of labels in their order. At most MaxSeries are shown; a series that is emitted twice counts once.
func (m *Metrics) RegisterEach(d Desc, labels []string, collect func(emit func(v float64, labels ...string))) {
	d.check()
	m.registry.MustRegister(&collector{
		desc: prometheus.NewDesc(d.Name, d.Help, labels, d.Labels), kind: d.valueType(), collect: collect, dropped: &m.dropped,
	})
}

// collector asks a function at each scrape.
type collector struct {
	desc    *prometheus.Desc
	kind    prometheus.ValueType
	collect func(emit func(v float64, labels ...string))
	dropped *atomic.Int64
}

// Describe is part of prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect is part of prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	seen := map[string]bool{}
	c.collect(func(v float64, labels ...string) {
		key := fmt.Sprintf("%q", labels)
		if seen[key] {
			return
		}
		if len(seen) >= MaxSeries {
			c.dropped.Add(1)
			return
		}
		seen[key] = true
		metric, err := prometheus.NewConstMetric(c.desc, c.kind, v, labels...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(c.desc, err)
		}
		ch <- metric
	})
}

// Histogram counts observations in buckets. It is safe for any goroutine and cheap enough for every request.
// It satisfies the small interfaces that consumers declare: Observe(time.Duration) for latencies, Add(float64) for sizes.
type Histogram struct{ observer prometheus.Observer }

// Observe adds a duration, in seconds.
func (h Histogram) Observe(d time.Duration) { h.observer.Observe(d.Seconds()) }

// Add adds a value in the metric's own unit.
func (h Histogram) Add(v float64) { h.observer.Observe(v) }

// Buckets for the three things that are measured: latencies from 100 us to 100 s, sizes from 256 bytes to 1 GiB,
// counts from 1 to a million.
var (
	LatencyBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 100}
	SizeBuckets    = prometheus.ExponentialBuckets(256, 4, 12)
	CountBuckets   = prometheus.ExponentialBuckets(1, 4, 11)
)

// Histogram registers a histogram. Its name ends in its base unit.
func (m *Metrics) Histogram(d Desc, buckets []float64) Histogram {
	d.check()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: d.Name, Help: d.Help, ConstLabels: d.Labels, Buckets: slices.Clone(buckets)})
	m.registry.MustRegister(h)
	return Histogram{h}
}

// Buckets are a histogram that another package counted by itself.
type Buckets struct {
	// Bounds are the upper bounds in rising order; Counts has one element more, for what is above the last.
	Bounds []float64
	Counts []int64
	Sum    float64
}

// RegisterHistogram adds a histogram that read returns at each scrape, as Register does for single values.
func (m *Metrics) RegisterHistogram(d Desc, read func() Buckets) {
	d.check()
	m.registry.MustRegister(&bucketCollector{prometheus.NewDesc(d.Name, d.Help, nil, d.Labels), read})
}

// bucketCollector turns Buckets into Prometheus's cumulative form.
type bucketCollector struct {
	desc *prometheus.Desc
	read func() Buckets
}

// Describe is part of prometheus.Collector.
func (c *bucketCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect is part of prometheus.Collector.
func (c *bucketCollector) Collect(ch chan<- prometheus.Metric) {
	b := c.read()
	if len(b.Counts) != len(b.Bounds)+1 {
		ch <- prometheus.NewInvalidMetric(c.desc, fmt.Errorf("%d counts for %d bounds", len(b.Counts), len(b.Bounds)))
		return
	}
	var total uint64
	below := make(map[float64]uint64, len(b.Bounds))
	for i, n := range b.Counts {
		total += uint64(n)
		if i < len(b.Bounds) {
			below[b.Bounds[i]] = total
		}
	}
	ch <- prometheus.MustNewConstHistogram(c.desc, total, b.Sum, below)
}

// Handler answers a scrape in Prometheus's text or OpenMetrics form.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true, MaxRequestsInFlight: 4, ErrorHandling: promhttp.ContinueOnError,
	})
}
