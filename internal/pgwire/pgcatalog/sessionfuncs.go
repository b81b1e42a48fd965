package pgcatalog

import (
	"slices"
	"strings"
	"time"

	"leat/internal/types"
)

// sessionFunction answers functions of the session by constants; nil is another function.
func (r *rewriter) sessionFunction(name string, args []node, n node) node {
	s := r.session
	switch name {
	case "current_database", "current_catalog":
		return titled(cast(text(s.Database), "name"), name)
	case "current_user", "session_user", "user", "current_role":
		return titled(cast(text(s.User), "name"), name)
	case "current_schema":
		if path := s.path(); len(path) > 0 {
			return titled(cast(text(path[0]), "name"), name)
		}
		return titled(cast(null(), "name"), name)
	case "current_schemas":
		return titled(currentSchemas(s, args), name)
	case "version":
		return titled(text("PostgreSQL "+ServerVersion+" ("+r.catalog.Version+")"), name)
	case "pg_backend_pid":
		r.personal = true
		return titled(cast(integerNode(int64(s.PID)), "INTEGER"), name)
	case "pg_postmaster_start_time", "pg_conf_load_time":
		return titled(cast(text(r.catalog.Started.UTC().Format(time.RFC3339Nano)), "timestamptz"), name)
	case "inet_server_addr":
		r.personal = true
		return titled(cast(orNull(address(s.Server)), "inet"), name)
	case "inet_client_addr":
		r.personal = true
		return titled(cast(orNull(address(s.Client)), "inet"), name)
	case "inet_server_port":
		r.personal = true
		return titled(cast(integerNode(int64(s.Server.Port())), "INTEGER"), name)
	case "inet_client_port":
		r.personal = true
		return titled(cast(integerNode(int64(s.Client.Port())), "INTEGER"), name)
	case "current_setting":
		return r.currentSetting(args, n)
	case "set_config":
		return r.setConfig(args, n)
	}
	return nil
}

func orNull(v any) node {
	if s, ok := v.(string); ok {
		return text(s)
	}
	return null()
}

// titled gives what stands in the place of a function its name, should it be a column of a result. clean takes it away.
func titled(n node, name string) node {
	n[titleKey] = name
	return n
}

const titleKey = "leat_title"

func clean(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			clean(e)
		}
	case node:
		delete(v, titleKey)
		for _, e := range v {
			clean(e)
		}
	}
}

func currentSchemas(s *Session, args []node) node {
	var names []node
	implicit := true
	if len(args) == 1 {
		implicit = constantBool(args[0])
	}
	path := s.path()
	if implicit && !slices.Contains(path, pgCatalog) {
		path = append([]string{pgCatalog}, path...)
	}
	for _, p := range path {
		names = append(names, cast(text(p), "name"))
	}
	return call("", "list_value", names...)
}

func (r *rewriter) currentSetting(args []node, n node) node {
	if len(args) == 0 {
		return nil
	}
	name, ok := constantText(args[0])
	if !ok {
		return own("leat_setting", args[0])
	}
	value, ok := r.session.setting(name)
	if ok {
		return titled(text(value), "current_setting")
	}
	if len(args) == 2 && constantBool(args[1]) {
		return titled(cast(null(), "VARCHAR"), "current_setting")
	}
	r.fail(n, types.Errorf(types.NotFound, "unrecognized configuration parameter %q", name))
	return null()
}

// ignored are settings that drivers set by set_config with parameters, and that change nothing here.
var ignored = map[string]bool{"jit": true}

func (r *rewriter) setConfig(args []node, n node) node {
	if len(args) != 3 {
		return nil
	}
	name, ok := constantText(args[0])
	value, ok2 := constantText(args[1])
	if ok && !ok2 && ignored[strings.ToLower(name)] {
		return titled(cast(args[1], "VARCHAR"), "set_config")
	}
	if !ok || !ok2 {
		r.fail(n, types.Errorf(types.Unsupported, "set_config takes constants").WithHint("write SET name = value"))
		return null()
	}
	if r.settings == nil {
		r.settings = map[string]string{}
	}
	r.settings[strings.ToLower(name)] = value
	return titled(text(value), "set_config")
}
