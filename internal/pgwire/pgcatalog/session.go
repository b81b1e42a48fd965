package pgcatalog

import (
	"net/netip"
	"time"

	"leat/internal/auth"
)

// Session is what answers about the catalog depend on. It belongs to the connection, which may change it between calls.
type Session struct {
	User, Database, ApplicationName string
	// SearchPath are the schemas of unqualified names; none is public.
	SearchPath []string
	// Settings are what SET and the start-up message changed, by lower-case name; DefaultSettings has the others.
	Settings map[string]string
	PID      uint32
	// Principal decides which relations are seen.
	Principal auth.Principal
	// Client and Server are the connection's ends, Started when it began; zero values are NULL.
	Client, Server netip.AddrPort
	Started        time.Time
}
