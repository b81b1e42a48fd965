package ingest

import (
	"sync"
	"sync/atomic"
	"time"

	"leat/internal/types"
)

// LatencyBounds are the upper bounds of the latency histogram's buckets, in seconds; one more bucket counts what took longer.
var LatencyBounds = [...]float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10}

// Metrics is a snapshot of the counters, all since the start of the process.
type Metrics struct {
	// InFlightBytes is what bodies hold now.
	InFlightBytes int64
	// Letters and LetterBytes are how many dead letters are kept, as far as known.
	Letters, LetterBytes int64
	// Refused counts requests that failed, by code.
	Refused map[types.Code]int64
	// Streams has at most MaxMetricStreams elements; the streams beyond are summed up under "_other".
	Streams []StreamMetrics
	// Latency of the requests that were acknowledged, from the call to the answer without waiting for visibility.
	Latency Histogram
}

// Histogram counts by bucket: Counts[i] took at most LatencyBounds[i] seconds and more than the bound before.
type Histogram struct {
	Counts [len(LatencyBounds) + 1]int64
	// Sum is in seconds.
	Sum float64
}

// StreamMetrics are the counters of one stream.
type StreamMetrics struct {
	Stream                                string
	Requests, Duplicates, Rows, BodyBytes int64
	// DeadLetters counts by reason.
	DeadLetters map[types.Code]int64
}

// MaxMetricStreams bounds the streams that have counters of their own.
const MaxMetricStreams = 1000

// meters holds the counters.
type meters struct {
	mu      sync.Mutex // guards the maps
	refused map[types.Code]int64
	streams map[types.ObjectID]*streamMeter
	other   streamMeter

	buckets [len(LatencyBounds) + 1]atomic.Int64
	nanos   atomic.Int64
}

// streamMeter counts for one stream.
type streamMeter struct {
	mu sync.Mutex // guards m
	m  StreamMetrics
}

func newMeters() *meters {
	return &meters{
		refused: map[types.Code]int64{}, streams: map[types.ObjectID]*streamMeter{},
		other: streamMeter{m: StreamMetrics{Stream: "_other", DeadLetters: map[types.Code]int64{}}},
	}
}

func (m *meters) of(id types.ObjectID, name string) *streamMeter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.streams[id]; ok {
		return s
	}
	if len(m.streams) >= MaxMetricStreams {
		return &m.other
	}
	s := &streamMeter{m: StreamMetrics{Stream: name, DeadLetters: map[types.Code]int64{}}}
	m.streams[id] = s
	return s
}

// forget drops the counters of a stream that was dropped.
func (m *meters) forget(id types.ObjectID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.streams, id)
}

// acked counts a request that was acknowledged.
func (m *meters) acked(id types.ObjectID, name string, r *Result, letters []Letter, body int, took time.Duration) {
	s := m.of(id, name)
	s.mu.Lock()
	if s != &m.other {
		s.m.Stream = name // it may have been renamed
	}
	s.m.Requests++
	s.m.BodyBytes += int64(body)
	if r.Duplicate {
		s.m.Duplicates++
	} else {
		s.m.Rows += int64(r.Accepted)
		for i := range letters {
			s.m.DeadLetters[letters[i].Reason]++
		}
	}
	s.mu.Unlock()
	i := 0
	for i < len(LatencyBounds) && took.Seconds() > LatencyBounds[i] {
		i++
	}
	m.buckets[i].Add(1)
	m.nanos.Add(int64(took))
}

// failed counts a request that was refused.
func (m *meters) failed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused[types.AsError(err).Code]++
}

func (m *meters) snapshot() Metrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := Metrics{Refused: make(map[types.Code]int64, len(m.refused))}
	for c, n := range m.refused {
		out.Refused[c] = n
	}
	for _, s := range m.streams {
		out.Streams = append(out.Streams, s.snapshot())
	}
	if o := m.other.snapshot(); o.Requests > 0 {
		out.Streams = append(out.Streams, o)
	}
	for i := range m.buckets {
		out.Latency.Counts[i] = m.buckets[i].Load()
	}
	out.Latency.Sum = time.Duration(m.nanos.Load()).Seconds()
	return out
}

func (s *streamMeter) snapshot() StreamMetrics {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.m
	out.DeadLetters = make(map[types.Code]int64, len(s.m.DeadLetters))
	for c, n := range s.m.DeadLetters {
		out.DeadLetters[c] = n
	}
	return out
}
