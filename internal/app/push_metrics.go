package app

import (
	"time"

	"leat/internal/observe"
	"leat/internal/push"
	"leat/internal/types"
)

// openPush makes the hub of subscribers.
func (s *server) openPush() {
	delay := s.metrics.Histogram(observe.Desc{Name: "leat_push_delay_seconds", Help: "From a change of a view, or of a followed result, until a subscriber is told."}, observe.LatencyBuckets)
	s.push = push.New(push.Config{
		MaxSubscribers: s.cfg.MaxSubscribers, ObserveDelay: delay.Observe,
		Lag: func(p types.Position) time.Duration { return s.query.Lag(p) },
	})
}

// registerPush makes metrics of subscribers.
func (s *server) registerPush() {
	for _, m := range []struct {
		name, help string
		kind       observe.Kind
		read       func(push.Metrics) int64
	}{
		{"leat_push_subscribers", "Subscribers to changes.", observe.Gauge, func(m push.Metrics) int64 { return m.Subscribers }},
		{"leat_push_feeds", "Views, tables and results of endpoints that are followed.", observe.Gauge, func(m push.Metrics) int64 { return m.Feeds }},
		{"leat_push_ring_bytes", "Changes that are kept for subscribers who lag or come again.", observe.Gauge, func(m push.Metrics) int64 { return m.RingBytes }},
		{"leat_push_steps_total", "Changes of what is followed.", observe.Counter, func(m push.Metrics) int64 { return m.Steps }},
		{"leat_push_events_total", "Events that subscribers were told.", observe.Counter, func(m push.Metrics) int64 { return m.Events }},
		{"leat_push_conflated_total", "Changes that were told as part of a net change, because a subscriber lagged or came again.", observe.Counter, func(m push.Metrics) int64 { return m.Conflated }},
		{"leat_push_resets_total", "Subscribers that had to begin anew.", observe.Counter, func(m push.Metrics) int64 { return m.Resets }},
		{"leat_push_refused_total", "Subscribers that were refused because there were too many.", observe.Counter, func(m push.Metrics) int64 { return m.Rejected }},
	} {
		s.metrics.Register(observe.Desc{Name: m.name, Help: m.help, Kind: m.kind}, func() float64 { return float64(m.read(s.push.Metrics())) })
	}
	s.metrics.Register(observe.Desc{Name: "leat_push_results", Help: "Results of endpoints that are kept up to date."}, func() float64 { return float64(s.query.LiveResults()) })
}
