package pgwire

import "sync/atomic"

// meters count what a Server does.
type meters struct {
	taken, refused, failed, cancels atomic.Int64
	statements, errors, rows        atomic.Int64
	copied, readBytes, writtenBytes atomic.Int64
}

// Metrics are figures of a Server since it was made.
type Metrics struct {
	// Sessions are open now, Unproven those of them that have not authenticated.
	Sessions, Unproven int
	// Accepted connections authenticated; Refused ones met a limit, Failed ones did not authenticate.
	Accepted, Refused, Failed int64
	Cancels                   int64
	Statements, Errors        int64
	// Rows were sent, Copied came by COPY.
	Rows, Copied            int64
	ReadBytes, WrittenBytes int64
	// SpooledBytes are of suspended results, in memory.
	SpooledBytes int64
}

// Metrics returns the figures.
func (s *Server) Metrics() Metrics {
	s.mu.Lock()
	sessions, unproven := len(s.sessions), s.waiting
	s.mu.Unlock()
	m := &s.meters
	return Metrics{
		Sessions: sessions, Unproven: unproven, Accepted: m.taken.Load(), Refused: m.refused.Load(), Failed: m.failed.Load(), Cancels: m.cancels.Load(),
		Statements: m.statements.Load(), Errors: m.errors.Load(), Rows: m.rows.Load(), Copied: m.copied.Load(),
		ReadBytes: m.readBytes.Load(), WrittenBytes: m.writtenBytes.Load(), SpooledBytes: s.spooled.Load(),
	}
}
