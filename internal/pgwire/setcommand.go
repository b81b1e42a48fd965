package pgwire

import (
	"context"
	"maps"
	"slices"
	"strings"

	"leat/internal/types"
)

// setCommand is SET, RESET or SET TRANSACTION.
type setCommand struct {
	name, value string
	local       bool
	// reset gives the setting its value at the start of the session; all gives it to all.
	reset, all bool
	tag        string
	modes      []string
}

func set(r *reader) (command, error) {
	c := &setCommand{tag: "SET"}
	switch {
	case r.accept("LOCAL"):
		c.local = true
	case r.accept("SESSION", "CHARACTERISTICS", "AS", "TRANSACTION"):
		t := &txCommand{}
		return &setCommand{tag: "SET", modes: []string{}}, t.options(r)
	case r.accept("SESSION", "AUTHORIZATION"), r.accept("ROLE"), r.accept("SESSION", "ROLE"):
		if r.accept("DEFAULT") || r.accept("NONE") {
			return done{"SET"}, nil
		}
		return nil, withState(types.Errorf(types.PermissionDenied, "a session keeps the user with which it began"), "42501")
	case r.accept("SESSION"):
	case r.accept("TRANSACTION"):
		t := &txCommand{}
		if r.is("SNAPSHOT") {
			return nil, withState(types.Errorf(types.Unsupported, "SET TRANSACTION SNAPSHOT is not supported"), "0A000")
		}
		err := t.options(r)
		return &setCommand{tag: "SET", modes: append([]string{}, t.modes...)}, err
	case r.accept("CONSTRAINTS"):
		return done{"SET CONSTRAINTS"}, nil
	}
	if r.accept("TIME", "ZONE") {
		c.name = "TimeZone"
		r.accept("INTERVAL")
	} else {
		if c.name = r.ident(); c.name == "names" {
			c.name = "client_encoding"
		} else {
			for r.accept(".") {
				c.name += "." + r.ident()
			}
			if c.name == "" || !r.accept("TO") && !r.accept("=") {
				return nil, syntax(r)
			}
		}
	}
	if r.accept("DEFAULT") {
		c.reset = true
		return c, nil
	}
	var values []string
	for {
		quoted := r.tok.kind == tokenName
		v, ok := r.value()
		if !ok {
			return nil, syntax(r)
		}
		if quoted || len(values) > 0 && strings.ContainsAny(v, ", \"") {
			v = types.QuoteIdent(v)
		}
		values = append(values, v)
		if !r.accept(",") {
			break
		}
	}
	if !r.end() {
		return nil, syntax(r)
	}
	c.value = strings.Join(values, ", ")
	return c, nil
}

func reset(r *reader) (command, error) {
	c := &setCommand{tag: "RESET", reset: true}
	switch {
	case r.accept("ALL"):
		c.all = true
	case r.accept("TIME", "ZONE"):
		c.name = "TimeZone"
	case r.accept("SESSION", "AUTHORIZATION"), r.accept("ROLE"):
		return done{"RESET"}, nil
	default:
		c.name = r.ident()
		for r.accept(".") {
			c.name += "." + r.ident()
		}
	}
	if !r.end() || c.name == "" && !c.all {
		return nil, syntax(r)
	}
	return c, nil
}

func (*setCommand) columns(*session) []column { return nil }

func (c *setCommand) run(_ context.Context, s *session, _ []any) (answer, error) {
	switch {
	case c.modes != nil:
		if s.tx == inTx {
			s.beginTx(c.modes)
		}
	case c.all:
		s.resetAll()
	case c.reset:
		key := strings.ToLower(c.name)
		if _, ok := s.vars.get(key); !ok && !strings.Contains(key, ".") {
			return answer{}, failure("42704", "unrecognized configuration parameter %.60q", c.name)
		}
		delete(s.vars.set, key)
		s.told(key)
	default:
		if err := s.assign(c.name, c.value, c.local); err != nil {
			return answer{}, err
		}
	}
	return answer{tag: c.tag}, nil
}

// assign gives a setting a value and tells the client if it is one of those that it follows. A local one lasts for the transaction.
func (s *session) assign(name, value string, local bool) error {
	key, kept, err := s.vars.check(name, value)
	if err != nil {
		return err
	}
	if local && s.tx == idle {
		s.warn("25P01", "", "SET LOCAL can only be used in transaction blocks")
		return nil
	}
	if local {
		s.vars.save(key)
	}
	s.vars.set[key] = kept
	s.told(key)
	return nil
}

func (s *session) told(key string) {
	if s.server.known[key].report {
		s.parameterStatus(key)
	}
}

func (s *session) resetAll() {
	changed := s.vars.set
	s.vars.set = map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(changed)) {
		s.told(key)
	}
}

// showCommand is SHOW of a setting, or of all.
type showCommand struct {
	name string
	all  bool
}

// show tells SHOW of a setting from Leat's SHOW of objects: nil is the latter.
func (s *session) show(r *reader) command {
	switch {
	case r.accept("TRANSACTION", "ISOLATION", "LEVEL"):
		return &showCommand{name: "transaction_isolation"}
	case r.accept("TIME", "ZONE"):
		return &showCommand{name: "TimeZone"}
	case r.accept("SESSION", "AUTHORIZATION"):
		return &showCommand{name: "session_authorization"}
	}
	for _, ours := range []string{"STREAMS", "TABLES", "VIEWS", "MATERIALIZED", "ENDPOINTS", "CREATE", "INDEXES", "SOURCES", "SINKS", "ALERTS"} {
		if r.is(ours) {
			return nil
		}
	}
	if r.accept("ALL") {
		if r.end() {
			return &showCommand{all: true}
		}
		return nil
	}
	name := r.ident()
	for r.accept(".") {
		name += "." + r.ident()
	}
	if _, ok := s.vars.get(name); !ok && !strings.Contains(name, ".") && !r.end() || name == "" {
		return nil
	}
	return &showCommand{name: name}
}

func (c *showCommand) columns(s *session) []column {
	if c.all {
		return []column{textColumn("name"), textColumn("setting"), textColumn("description")}
	}
	return []column{textColumn(s.vars.shownName(strings.ToLower(c.name)))}
}

func (c *showCommand) run(_ context.Context, s *session, _ []any) (answer, error) {
	if c.all {
		var rows [][]string
		for _, name := range s.vars.names() {
			value, _ := s.vars.get(name)
			rows = append(rows, []string{s.vars.shownName(name), value, ""})
		}
		return answer{tag: "SHOW", source: &textSource{rows: rows}}, nil
	}
	value, ok := s.vars.get(c.name)
	if !ok {
		return answer{}, failure("42704", "unrecognized configuration parameter %.60q", c.name)
	}
	return answer{tag: "SHOW", source: &textSource{rows: [][]string{{value}}}}, nil
}
