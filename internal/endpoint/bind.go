// Package endpoint knows the typed parameters of endpoints: what a definition may declare and what a call may send.
package endpoint

import (
	"fmt"
	"slices"
	"strings"

	"leat/internal/catalog"
	"leat/internal/types"
)

// Bind turns what a call sent into the values of all declared parameters. Values are strings from a URL ([]string where a key was
// repeated) or values of JSON with numbers as json.Number. What it returns is nil, bool, int64, uint64, float64, []byte or text that DuckDB casts
// to the declared type (guard.WithCasts; lists, structs and maps are JSON). All faults are reported at once, each with the parameter as Path.
// fixed are the values that the caller's credential gives to parameters, of the same Go types: a call that sends one of them itself is
// types.PermissionDenied, whatever it sends.
func Bind(ep *catalog.Endpoint, values, fixed map[string]any) (map[string]any, error) {
	var faults []*types.Error
	args := make(map[string]any, len(ep.Params))
	for _, p := range ep.Params {
		sent, ok := values[p.Name]
		if own, is := fixed[p.Name]; is {
			v, err := fix(p, own, ok)
			if err != nil {
				return nil, err
			}
			args[p.Name] = v
			continue
		}
		if !ok {
			switch {
			case !p.HasDefault:
				faults = append(faults, fault(p.Name, "parameter %s %s is required", p.Name, p.Type))
				continue
			case p.Default == nil:
				sent = nil
			default:
				sent = *p.Default
			}
		}
		v, err := convert(p.Type, sent)
		if err != nil {
			faults = append(faults, fault(p.Name, "parameter %s: %v", p.Name, err))
			continue
		}
		args[p.Name] = v
	}
	faults = append(faults, unknown(ep, values)...)
	if len(faults) == 0 {
		return args, nil
	}
	first := faults[0]
	if hint := quoting(ep, values); hint != "" {
		first.Hint = hint
	}
	first.Errors = faults[1:]
	return nil, first
}

// fix is the value of a parameter that the caller can't choose; sent says that the call has one.
func fix(p catalog.Param, own any, sent bool) (any, error) {
	if sent {
		return nil, denied(p.Name, "parameter %s is fixed by this token: it can't be sent", p.Name)
	}
	v, err := convert(p.Type, own)
	if err != nil {
		return nil, denied(p.Name, "parameter %s is fixed by this token, to a value that is no %s", p.Name, p.Type)
	}
	return v, nil
}

func denied(name, format string, args ...any) error {
	e := types.Errorf(types.PermissionDenied, format, args...)
	e.Path = name
	return e
}

func fault(name, format string, args ...any) *types.Error {
	e := types.Errorf(types.InvalidArgument, format, args...)
	e.Path = name
	return e
}

func unknown(ep *catalog.Endpoint, values map[string]any) []*types.Error {
	var out []*types.Error
	for name := range values {
		if system(name) || slices.ContainsFunc(ep.Params, func(p catalog.Param) bool { return p.Name == name }) {
			continue
		}
		e := fault(name, "there is no parameter %.80q", name)
		if len(ep.Params) == 0 {
			e.WithHint("this endpoint has no parameters")
		} else {
			e.WithHint("the parameters are %s", Signature(ep))
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *types.Error) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// system reports whether a name is Leat's own.
func system(name string) bool { return name == "format" || strings.HasPrefix(name, "_") }

// quoting finds the trace of a shell that took & as its own: a value with & in it, or required parameters missing after the first.
func quoting(ep *catalog.Endpoint, values map[string]any) string {
	const hint = "in a shell, quote the whole URL: curl 'http://...?a=1&b=2'"
	for _, v := range values {
		if s, ok := v.(string); ok && strings.Contains(s, "&") {
			return hint
		}
	}
	missing := slices.ContainsFunc(ep.Params, func(p catalog.Param) bool { _, ok := values[p.Name]; return !ok && !p.HasDefault })
	if len(values) == 1 && missing {
		return hint
	}
	return ""
}

// Signature prints the parameters as CREATE ENDPOINT does.
func Signature(ep *catalog.Endpoint) string {
	parts := make([]string, len(ep.Params))
	for i, p := range ep.Params {
		parts[i] = types.QuoteIdent(p.Name) + " " + p.Type.String()
		switch {
		case p.HasDefault && p.Default == nil:
			parts[i] += " DEFAULT NULL"
		case p.HasDefault:
			parts[i] += " DEFAULT " + types.QuoteLiteral(*p.Default)
		}
	}
	return strings.Join(parts, ", ")
}

// Casts are the types of the parameters by name, for guard.WithCasts.
func Casts(ep *catalog.Endpoint) map[string]types.Type {
	out := make(map[string]types.Type, len(ep.Params))
	for _, p := range ep.Params {
		out[p.Name] = p.Type
	}
	return out
}

// Check refuses a definition whose parameters are reserved, declared twice, declared and unused, used and undeclared, or whose
// default is no value of the type. used are the names that the query has (guard.Verdict.Params).
func Check(ep *catalog.Endpoint, used []string) error {
	seen := map[string]bool{}
	for _, p := range ep.Params {
		switch {
		case system(p.Name):
			return fault(p.Name, "parameter %s: format and names that start with _ are reserved", p.Name)
		case seen[p.Name]:
			return fault(p.Name, "parameter %s is declared twice", p.Name)
		case !slices.ContainsFunc(used, func(u string) bool { return strings.EqualFold(u, p.Name) }):
			return fault(p.Name, "parameter %s is declared but the query does not use $%s", p.Name, p.Name)
		}
		seen[p.Name] = true
		if p.HasDefault && p.Default != nil {
			if _, err := convert(p.Type, *p.Default); err != nil {
				return fault(p.Name, "default of parameter %s: %v", p.Name, err)
			}
		}
	}
	for _, u := range used {
		name := strings.ToLower(u)
		if name != "" && name[0] >= '0' && name[0] <= '9' {
			return fault(u, "endpoints have named parameters only").WithHint("write $name instead of ? or $%s, and declare it: CREATE ENDPOINT e (name TYPE) AS ...", u)
		}
		if !seen[name] {
			return fault(u, "the query uses $%s, which is not declared", u).WithHint("declare it: CREATE ENDPOINT e (%s VARCHAR, ...) AS ...", types.QuoteIdent(name))
		}
	}
	return nil
}

func mismatch(t types.Type, text string) error { return fmt.Errorf("%.60q is no %s", text, t) }
