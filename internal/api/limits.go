package api

import "time"

// Limits bound what one client can cost. A zero field takes its default.
type Limits struct {
	MaxEventBytes int64 // body of events as sent; 64 MiB
	MaxBodyBytes  int64 // every other body; 1 MiB
	MaxHeader     int   // request line and headers in bytes; 64 KiB
	// MaxRequests is how many requests may be under way (1024); one more is answered 503.
	MaxRequests int
	// MaxConns is how many connections may be open (4096); further ones wait to be accepted.
	MaxConns int
	// MaxStreams is how many requests may be under way on one connection of HTTP/2 (128). Streams that a client opens and resets at once wait
	// until their handlers end, so resetting them gains nothing.
	MaxStreams int
	// PingAfter is how long a connection of HTTP/2 may be silent before the client is asked whether it is there (30 s).
	PingAfter time.Duration
	// QueryTimeout is the time of a query without _timeout (30 s), MaxTimeout the longest _timeout (5 min).
	QueryTimeout, MaxTimeout time.Duration
	HeaderTimeout            time.Duration // from the connection's first byte to the end of headers; 10 s
	IdleTimeout              time.Duration // of a connection between requests; 2 min
	// BodyGrace is how long a body may take before it must have kept up MinBodyRate bytes/s; 20 s and 4 KiB/s.
	BodyGrace   time.Duration
	MinBodyRate int64
	// WriteTimeout is how long one write of an answer may wait for its reader, who holds a query slot meanwhile; 10 s.
	WriteTimeout time.Duration
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.MaxEventBytes, 64<<20)
	orDefault(&l.MaxBodyBytes, 1<<20)
	orDefault(&l.MaxHeader, 64<<10)
	orDefault(&l.MaxRequests, 1024)
	orDefault(&l.MaxConns, 4096)
	orDefault(&l.MaxStreams, 128)
	orDefault(&l.PingAfter, 30*time.Second)
	orDefault(&l.QueryTimeout, 30*time.Second)
	orDefault(&l.MaxTimeout, 5*time.Minute)
	orDefault(&l.HeaderTimeout, 10*time.Second)
	orDefault(&l.IdleTimeout, 2*time.Minute)
	orDefault(&l.BodyGrace, 20*time.Second)
	orDefault(&l.MinBodyRate, 4<<10)
	orDefault(&l.WriteTimeout, 10*time.Second)
	return l
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
