package app

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"leat/internal/auth"
	"leat/internal/observe"
	"leat/internal/pgwire"
	"leat/internal/pgwire/pgcatalog"
	"leat/internal/types"
)

// speaksPG reports whether the server is to speak PostgreSQL's protocol.
func (c *Config) speaksPG() bool { return c.PGListen != "" && c.PGListen != "off" }

// startPG opens the listeners of the PostgreSQL protocol; loopback means both 127.0.0.1 and ::1 where the machine has them. It returns the address.
func (s *server) startPG(failed chan<- error) (addr string, err error) {
	if !s.cfg.speaksPG() {
		return "", nil
	}
	listeners, err := listenAt(s.cfg.PGListen, "--pg-listen")
	if err != nil {
		return "", err
	}
	for _, l := range listeners {
		go func() {
			if err := s.pg.Serve(l); err != nil {
				failed <- err
			}
		}()
	}
	addr = listeners[0].Addr().String()
	if s.cfg.AddrFile == "" {
		return addr, nil
	}
	name := s.cfg.AddrFile + ".pg"
	if err := os.WriteFile(name+".new", []byte(addr), 0o600); err != nil {
		return "", types.Errorf(types.InvalidArgument, "address file: %w", err)
	}
	return addr, os.Rename(name+".new", name)
}

// listenAt listens at an address that a flag gave.
func listenAt(addr, flag string) ([]net.Listener, error) {
	first, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, types.Errorf(types.InvalidArgument, "can't listen at %s: %w", addr, err).WithHint("choose another address with %s%s", flag, orOff(flag))
	}
	out := []net.Listener{first}
	if host, _, err := net.SplitHostPort(addr); err == nil && (host == "127.0.0.1" || host == "localhost") {
		_, port, err := net.SplitHostPort(first.Addr().String())
		if err != nil {
			return nil, err
		}
		if second, err := net.Listen("tcp6", net.JoinHostPort("::1", port)); err == nil {
			out = append(out, second)
		}
	}
	return out, nil
}

func orOff(flag string) string {
	if flag == "--listen" {
		return ""
	}
	return ", or none with " + flag + " off"
}

// pgServer wires the PostgreSQL protocol.
func (s *server) pgServer() *pgwire.Server {
	s.pgAbout = s.newPGCatalog()
	o := pgwire.Options{
		Catalog: s.pgAbout, Settings: pgcatalog.DefaultSettings(),
		Config:  pgwire.Config{StatementTimeout: s.cfg.Timeout},
		Backend: pgBackend{s}, Users: pgUsers{s.tokens, s.cfg.speaksPG() && !loopback(s.cfg.PGListen)}, Log: s.log, Failed: s.pgRefused,
	}
	if s.tls != nil {
		o.TLS, o.TLSOnly = s.tls.config(), true
	}
	return pgwire.New(o)
}

// pgRefused tells the audit log of who did not authenticate.
func (s *server) pgRefused(user, addr string, err error) {
	s.audit.record(auth.Event{
		Action: auth.FailedAuthentication, Object: "postgresql", Outcome: string(types.AsError(err).Code), Detail: "user " + user,
		Origin: auth.Origin{Remote: addr},
	})
}

// pgUsers are those of the tokens; beyond loopback every connection needs one.
type pgUsers struct {
	*auth.Service
	always bool
}

// Required implements pgwire.Users.
func (u pgUsers) Required() bool { return u.always || u.Service.Required() }

// registerPG makes metrics of the PostgreSQL protocol.
func (s *server) registerPG() {
	for _, m := range []struct {
		name, help string
		kind       observe.Kind
		read       func(pgwire.Metrics) int64
	}{
		{"leat_pg_connections", "Connections of the PostgreSQL protocol.", observe.Gauge, func(m pgwire.Metrics) int64 { return int64(m.Sessions) }},
		{"leat_pg_unproven_connections", "Connections of the PostgreSQL protocol that have not authenticated yet.", observe.Gauge, func(m pgwire.Metrics) int64 { return int64(m.Unproven) }},
		{"leat_pg_accepted_total", "Connections that authenticated.", observe.Counter, func(m pgwire.Metrics) int64 { return m.Accepted }},
		{"leat_pg_refused_total", "Connections that met a limit.", observe.Counter, func(m pgwire.Metrics) int64 { return m.Refused }},
		{"leat_pg_failed_authentications_total", "Connections that did not authenticate.", observe.Counter, func(m pgwire.Metrics) int64 { return m.Failed }},
		{"leat_pg_cancels_total", "Cancel requests.", observe.Counter, func(m pgwire.Metrics) int64 { return m.Cancels }},
		{"leat_pg_statements_total", "Statements that were run.", observe.Counter, func(m pgwire.Metrics) int64 { return m.Statements }},
		{"leat_pg_errors_total", "Statements that failed.", observe.Counter, func(m pgwire.Metrics) int64 { return m.Errors }},
		{"leat_pg_rows_total", "Rows sent.", observe.Counter, func(m pgwire.Metrics) int64 { return m.Rows }},
		{"leat_pg_copied_rows_total", "Rows that came by COPY.", observe.Counter, func(m pgwire.Metrics) int64 { return m.Copied }},
		{"leat_pg_read_bytes_total", "Bytes read from clients.", observe.Counter, func(m pgwire.Metrics) int64 { return m.ReadBytes }},
		{"leat_pg_written_bytes_total", "Bytes sent to clients.", observe.Counter, func(m pgwire.Metrics) int64 { return m.WrittenBytes }},
		{"leat_pg_spooled_bytes", "Memory of results that are read in parts.", observe.Gauge, func(m pgwire.Metrics) int64 { return m.SpooledBytes }},
	} {
		s.metrics.Register(observe.Desc{Name: m.name, Help: m.help, Kind: m.kind}, func() float64 { return float64(m.read(s.pg.Metrics())) })
	}
}

// pgURL is how clients name the server.
func (s *server) pgURL(addr string) string {
	user := "leat"
	if s.tokens.Required() {
		user = "TOKEN_ID"
	}
	return fmt.Sprintf("postgresql://%s@%s/leat", user, addr)
}

// valueColumns finds parameters that are whole values of VALUES ($1, $2), (...): by name, the position of their column.
func valueColumns(text string) map[string]int {
	rest, ok := cutWord(text, "VALUES")
	if !ok {
		return nil
	}
	out := map[string]int{}
	depth, column, start := 0, 0, -1
	note := func(end int) {
		if item := strings.TrimSpace(rest[start:end]); len(item) > 1 && item[0] == '$' && !strings.ContainsFunc(item[1:], notName) {
			name := strings.ToLower(item[1:])
			if at, twice := out[name]; twice && at != column {
				out[name] = -1 // of two columns: nothing is known
				return
			}
			out[name] = column
		}
	}
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; c {
		case '\'', '"':
			for i++; i < len(rest) && rest[i] != c; i++ {
			}
		case '(', '[', '{':
			if depth++; depth == 1 {
				column, start = 0, i+1
			}
		case ')', ']', '}':
			if depth == 1 {
				note(i)
			}
			depth--
		case ',':
			if depth == 1 {
				note(i)
				column, start = column+1, i+1
			}
		}
	}
	return out
}

func notName(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
}

// cutWord cuts a first word off.
func cutWord(text, word string) (rest string, ok bool) {
	text = strings.TrimSpace(text)
	if len(text) < len(word) || !strings.EqualFold(text[:len(word)], word) {
		return "", false
	}
	return text[len(word):], true
}

// targetColumns are the columns of a stream or table that a statement names, or all.
func (s *server) targetColumns(table string, names []string) ([]types.Column, error) {
	o := s.catalog.Snapshot().ByName(table)
	if o == nil || o.Stream == nil {
		return nil, types.Errorf(types.UnknownRelation, "there is no stream or table %.80q", table).WithHint("SHOW ALL TABLES lists them; views are written by nobody but the engine")
	}
	all := o.Stream.Schema.Columns
	if len(names) == 0 {
		return all, nil
	}
	out := make([]types.Column, len(names))
	for i, name := range names {
		at := o.Stream.Schema.Index(name)
		if at < 0 {
			return nil, types.Errorf(types.UnknownColumn, "there is no column %s; the columns are: %s", types.QuoteIdent(name), o.Stream.Schema)
		}
		if slices.Contains(names[:i], name) {
			return nil, types.Errorf(types.InvalidArgument, "column %s is named twice", types.QuoteIdent(name))
		}
		out[i] = all[at]
	}
	return out, nil
}
