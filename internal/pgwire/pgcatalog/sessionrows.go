package pgcatalog

import (
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// ServerVersion is the version of PostgreSQL whose catalog this is, for the parameter server_version.
const ServerVersion = "15.8"

const serverVersionNum = "150008"

// roleRows are the owner of everything and the session's user.
func roleRows(p *pin) []row {
	owner := row{"oid": oidOwner, "rolname": ownerName, "rolsuper": true, "rolinherit": true, "rolcreaterole": true, "rolcreatedb": true, "rolcanlogin": false,
		"rolconnlimit": -1}
	if p.session.User == ownerName {
		owner["rolcanlogin"] = true
		return []row{owner}
	}
	return []row{owner, {"oid": oidSessionRole, "rolname": p.session.User, "rolsuper": p.session.Principal.May("admin", ""), "rolinherit": true,
		"rolcanlogin": true, "rolconnlimit": -1}}
}

func databaseRows(p *pin) []row {
	return []row{{"oid": oidDatabase, "datname": p.session.Database, "datdba": oidOwner, "encoding": 6, "datlocprovider": "c", "datallowconn": true,
		"datconnlimit": -1, "dattablespace": oidTablespace, "datcollate": "C", "datctype": "C"}}
}

func activityRows(p *pin) []row {
	s := p.session
	r := row{"datid": oidDatabase, "datname": s.Database, "pid": int64(s.PID), "usesysid": oidSessionRole, "usename": s.User,
		"application_name": s.ApplicationName, "state": "active", "backend_type": "client backend", "query": ""}
	if s.Client.IsValid() {
		r["client_addr"], r["client_port"] = s.Client.Addr().String(), int(s.Client.Port())
	}
	if !s.Started.IsZero() {
		r["backend_start"] = s.Started.UnixMicro()
	}
	return []row{r}
}

// setting is one row of pg_settings.
type setting struct{ name, value, unit, category, description, context, typ string }

// settings are the settings by lower-case name.
var settings = func() map[string]setting {
	out := map[string]setting{}
	for _, f := range lines(settingsText) {
		out[strings.ToLower(f[0])] = setting{f[0], f[1], f[2], f[3], f[4], f[5], f[6]}
	}
	for name, value := range map[string]string{
		"application_name": "", "server_version": ServerVersion, "server_version_num": serverVersionNum, "timezone": "UTC", "log_timezone": "UTC",
		"jit": "off", "listen_addresses": "", "port": "4281", "default_text_search_config": "pg_catalog.simple", "max_connections": "1000",
	} {
		s := out[name]
		s.value = value
		out[name] = s
	}
	for name, value := range map[string]string{"is_superuser": "off", "session_authorization": "", "role": "none",
		"default_table_access_method": "heap", "default_toast_compression": "pglz", "max_function_args": "100"} {
		out[name] = setting{name: name, value: value, category: "Preset Options", description: "Of the session.", context: "internal", typ: "string"}
	}
	return out
}()

// DefaultSettings are the settings that SHOW and pg_settings answer where a session has not set its own, by lower-case name; the
// caller owns the map.
func DefaultSettings() map[string]string {
	out := map[string]string{}
	for name, s := range settings {
		out[name] = s.value
	}
	return out
}

// setting is a session's value of a setting.
func (s *Session) setting(name string) (string, bool) {
	name = strings.ToLower(name)
	if v, ok := s.Settings[name]; ok {
		return v, true
	}
	switch name {
	case "application_name":
		return s.ApplicationName, true
	case "session_authorization":
		return s.User, true
	case "is_superuser":
		if s.Principal.May("admin", "") {
			return "on", true
		}
	}
	d, ok := settings[name]
	return d.value, ok
}

func settingRows(p *pin) []row {
	var out []row
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		d := settings[key]
		value, _ := p.session.setting(key)
		source := "default"
		if value != d.value {
			source = "session"
		}
		r := row{"name": d.name, "setting": value, "category": d.category, "short_desc": d.description, "context": d.context, "vartype": d.typ,
			"source": source, "boot_val": d.value, "reset_val": d.value, "pending_restart": false}
		if d.unit != "" {
			r["unit"] = d.unit
		}
		out = append(out, r)
	}
	return out
}

// path are the schemas of unqualified names, in order, without those that don't exist.
func (s *Session) path() []string {
	var out []string
	for _, name := range s.SearchPath {
		name = strings.Trim(strings.TrimSpace(name), `"`)
		switch strings.ToLower(name) {
		case publicSchema, systemSchema, informationSchema, pgCatalog:
			out = append(out, strings.ToLower(name))
		}
	}
	if len(s.SearchPath) == 0 {
		out = []string{publicSchema}
	}
	return out
}

func address(a netip.AddrPort) any {
	if !a.IsValid() {
		return nil
	}
	return a.Addr().String()
}

// reservedWords are the words that quote_ident quotes.
func reservedWords() iter.Seq[string] {
	return slices.Values(strings.Fields(`all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast
		char character check coalesce collate collation column concurrently constraint create cross current_catalog current_date current_role
		current_schema current_time current_timestamp current_user dec decimal default deferrable desc distinct do else end except exists extract
		false fetch float for foreign freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect
		interval into is isnull join lateral leading least left like limit localtime localtimestamp national natural nchar none normalize not
		notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary real references returning
		right row select session_user setof similar smallint some substring symmetric table tablesample then time timestamp to trailing treat trim
		true union unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists
		xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`))
}
