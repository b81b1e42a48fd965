package push

// Trigger tells when rows of a feed change, to who takes no events. One goroutine at a time uses it.
type Trigger struct {
	feed  *feed
	group *group
}

// Watch makes a trigger of the rows that a filter keeps. It is no subscriber that counts. Arguments and errors are those of Subscribe.
func (h *Hub) Watch(key string, shape Shape, source func() Source, filter Filter) (*Trigger, error) {
	f, err := h.enter(key, shape, source, nil)
	if err != nil {
		return nil, err
	}
	g, err := f.join(filter)
	if err != nil {
		h.leave(f, nil)
		return nil, err
	}
	return &Trigger{feed: f, group: g}, nil
}

// Changed is closed once rows change after the call, or the feed ends.
func (t *Trigger) Changed() <-chan struct{} { return t.group.state.Load().changed }

// Over reports whether the feed has ended: rows may change and nobody tells.
func (t *Trigger) Over() bool { return t.group.state.Load().ended }

// Close ends the trigger.
func (t *Trigger) Close() {
	t.feed.leave(t.group)
	t.feed.hub.leave(t.feed, nil)
}
