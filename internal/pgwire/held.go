package pgwire

import "leat/internal/types"

// Bounds of what sessions keep of what their clients sent: a message, the arguments of portals, texts of statements, rows of a transaction.
const (
	// freeHeld is what a session may keep that is not counted; 1,000 sessions keep 1 GiB so.
	freeHeld = 1 << 20
	// maxSessionHeld is for one session: the largest message, its arguments once more, statements and rows.
	maxSessionHeld = 192 << 20
	// maxHeld is for all sessions together. Who goes beyond is disconnected with 53200.
	maxHeld = 512 << 20
)

// account counts what the session keeps, and more that it is about to. Its error ends the session. The session's goroutine calls it.
func (s *session) account(more int) error {
	now := int64(len(s.in)+more+s.statementBytes) + s.portalBytes + s.pending.bytes
	counted := max(now-freeHeld, 0)
	if counted == s.counted {
		return nil
	}
	all := s.server.held.Add(counted - s.counted)
	grows := counted > s.counted
	s.counted = counted
	switch {
	case grows && now > maxSessionHeld:
		return fullMemory("a session keeps at most %d MiB of messages, arguments and statements", maxSessionHeld)
	case grows && all > maxHeld:
		return fullMemory("all sessions together keep at most %d MiB of messages, arguments and statements", maxHeld)
	}
	return nil
}

func fullMemory(format string, limit int) error {
	e := types.Errorf(types.LimitExceeded, format, limit>>20)
	return fatal{withState(e.WithHint("send less at once: smaller parameters, fewer portals"), "53200")}
}

// keep counts an argument that a portal has a copy of.
func (p *portal) keep(bytes int) {
	p.bytes += int64(bytes)
	p.owner.portalBytes += int64(bytes)
}

// forget drops the arguments of a portal that won't run again.
func (p *portal) forget() {
	if p.bytes == 0 {
		return
	}
	p.owner.portalBytes -= p.bytes
	if p.bytes > keepBuffer { // else the slices are used again
		p.args, p.raw = nil, nil
	}
	p.bytes = 0
}
