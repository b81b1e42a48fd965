package push

// Metrics are what a hub counts.
type Metrics struct {
	// Subscribers and Feeds are how many there are, RingBytes what the changes that feeds keep take.
	Subscribers, Feeds, RingBytes int64
	// Steps counts changes that feeds were told, Events those that subscribers were told, Conflated the steps that went into net changes for
	// who lagged, Resets how often one had to begin anew, Rejected those that were refused because there are too many.
	Steps, Events, Conflated, Resets, Rejected int64
}

// Metrics returns the counts as they are.
func (h *Hub) Metrics() Metrics {
	h.mu.Lock()
	subscribers, feeds := h.subscribers, len(h.feeds)
	h.mu.Unlock()
	return Metrics{
		Subscribers: int64(subscribers), Feeds: int64(feeds), RingBytes: h.bytes.Load(),
		Steps: h.steps.Load(), Events: h.events.Load(), Conflated: h.conflated.Load(), Resets: h.resets.Load(), Rejected: h.rejected.Load(),
	}
}
