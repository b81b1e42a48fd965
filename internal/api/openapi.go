package api

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"leat/internal/auth"
	"leat/internal/types"
)

// object is a JSON object; encoding/json sorts its keys, so that the document is the same each time.
type object map[string]any

// openapi answers with an OpenAPI 3.1 document made from the route table and from what the caller may read.
func (s *server) openapi(c *call) error {
	d, err := s.document(c)
	if err != nil {
		return err
	}
	return c.json(200, d)
}

func (s *server) document(c *call) (object, error) {
	endpoints, err := s.readableEndpoints(c)
	if err != nil {
		return nil, err
	}
	relations, err := s.Catalog.Relations(c.r.Context())
	if err != nil {
		return nil, err
	}
	d := newDocument(s.Version)
	for i := range s.table {
		d.put(openPath(s.table[i].path), s.table[i].method, d.operation(&s.table[i]))
	}
	for _, e := range endpoints {
		d.endpoint(e)
	}
	for _, r := range relations {
		if !c.principal.May(auth.Read, r.Name) {
			continue
		}
		switch r.Kind {
		case "materialized view":
			d.view(r)
		case "table":
			d.table(r, c.principal.May(auth.Append, r.Name))
		}
	}
	return d.root, nil
}

// openDocument is a document being made.
type openDocument struct{ root, paths, schemas object }

func newDocument(version string) *openDocument {
	if version == "" {
		version = "unknown"
	}
	d := &openDocument{paths: object{}, schemas: fixedSchemas()}
	d.root = object{
		"openapi": "3.1.0",
		"info": object{"title": "Leat", "version": version, "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "Send events, query them as SQL and as HTTP APIs. Errors are `application/problem+json`. GET /docs shows this document for people."},
		"servers": []object{{"url": "/"}},
		"paths":   d.paths,
		"components": object{
			"securitySchemes": object{
				"token": object{"type": "http", "scheme": "bearer", "bearerFormat": "leat_<id>_<secret>", "description": "A token of this server, made by POST /v1/tokens."},
				"jwt": object{"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
					"description": "A JWT of an issuer that an admin has named. It may fix parameters of endpoints and see some rows only."},
			},
			"schemas": d.schemas,
			"headers": headerComponents(),
			"responses": object{"Problem": object{"description": "What went wrong, and how to mend it (RFC 9457).",
				"headers": object{"Retry-After": headerRef("Retry-After"), "Leat-Request-Id": headerRef("Leat-Request-Id")},
				"content": object{problemType: object{"schema": ref("schemas/Problem")}}}},
		},
	}
	return d
}

func (d *openDocument) put(path, method string, op object) {
	item, ok := d.paths[path].(object)
	if !ok {
		item = object{}
		d.paths[path] = item
	}
	item[strings.ToLower(method)] = op
}

func ref(to string) object         { return object{"$ref": "#/components/" + to} }
func headerRef(name string) object { return ref("headers/" + name) }

var wildcard = regexp.MustCompile(`\{([a-z]+)(?:\.\.\.)?\}`)

// openPath writes the mux's {name...} as {name}.
func openPath(path string) string { return wildcard.ReplaceAllString(path, "{$1}") }

func (d *openDocument) operation(r *route) object {
	op := object{"operationId": r.id, "summary": r.summary, "tags": []string{tag(r.path)}, "responses": d.responses(r)}
	var params []object
	for _, m := range wildcard.FindAllStringSubmatch(r.path, -1) {
		params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string", "minLength": 1}})
	}
	for _, p := range r.params {
		params = append(params, queryParam(p))
	}
	if reads(r) {
		params = append(params, afterParam())
	}
	if params != nil {
		op["parameters"] = params
	}
	if r.body.types != nil {
		op["requestBody"] = object{"required": r.body.required, "content": requestContent(r)}
	}
	op["security"] = []object{}
	if !r.public {
		op["security"] = security(scopes(r.needs))
	}
	return op
}

// reads tells routes whose answers have rows of the log.
func reads(r *route) bool {
	return slices.ContainsFunc(r.params, func(p param) bool { return p.name == stalenessParam.name })
}

// security is a token, or a JWT, or neither where the server has no tokens. Scopes of bearer schemes are for people to read.
func security(scopes []string) []object {
	return []object{{"token": scopes}, {"jwt": scopes}, {}}
}

// scopes names what the token needs, with the wildcards of the path in braces.
func scopes(needs []need) []string {
	out := []string{}
	for _, n := range needs {
		switch n.object {
		case "":
			out = append(out, string(n.action))
		case "*":
			out = append(out, string(n.action)+":*")
		default:
			out = append(out, string(n.action)+":{"+n.object+"}")
		}
	}
	return out
}

// tag groups routes by the first word of the path after the version.
func tag(path string) string {
	word, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "/"), "v1/"), "/")
	if word == "v0" {
		return "tinybird"
	}
	return word
}

func (d *openDocument) responses(r *route) object {
	ok := object{"description": r.answer.about}
	if r.answer.types != nil {
		ok["content"] = content(r.answer.types, answerSchema(r))
	}
	out := object{"default": ref("responses/Problem")}
	switch {
	case r.id == "healthz" || r.id == "readyz":
		out["503"] = object{"description": "It is not.", "content": ok["content"]}
	case reads(r):
		ok["headers"] = freshHeaders()
	}
	if r.tinybird {
		out["default"] = object{"description": "What went wrong, as Tinybird tells it.", "content": content(jsonOnly, object{"type": "object"})}
		if r.id == "v0SendEvents" {
			out["200"] = ok
		}
	}
	out[strconv.Itoa(r.answer.status)] = ok
	return out
}

// content gives the JSON type a schema; other types are text or bytes.
func content(mediaTypes []string, schema object) object {
	out := object{}
	for _, t := range mediaTypes {
		out[t] = object{}
		if schema != nil && t == "application/json" {
			out[t] = object{"schema": schema}
		}
	}
	return out
}

func queryParam(p param) object {
	schema := object{"type": p.kind}
	if p.enum != nil {
		schema["enum"] = p.enum
	}
	if s, ok := paramPatterns[p.name]; ok {
		for k, v := range s {
			schema[k] = v
		}
	}
	return object{"name": p.name, "in": "query", "description": p.about, "required": p.required, "schema": schema}
}

// paramPatterns say more of values than their type.
var paramPatterns = map[string]object{
	timeoutParam.name:   {"pattern": durationPattern, "examples": []string{"500ms", "10s"}},
	stalenessParam.name: {"pattern": durationPattern, "examples": []string{"500ms", "10s"}},
	limitParam.name:     {"minimum": 1},
}

const durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`

func afterParam() object {
	return object{"name": "Leat-After", "in": "header", "required": false, "schema": object{"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
		"description": "A position, as Leat-Position of another answer: this one waits until it includes it, or answers 504 and says what is missing."}
}

func headerComponents() object {
	text := func(about string) object { return object{"description": about, "schema": object{"type": "string"}} }
	number := func(about string) object { return object{"description": about, "schema": object{"type": "integer"}} }
	return object{
		"Leat-Position":   text("Up to where the answer saw the log; good for Leat-After."),
		"Leat-Watermark":  text("The least watermark of what was read, RFC 3339 with microseconds."),
		"Leat-Lag-Ms":     number("How long ago the oldest event was sent that the answer does not include, at most; 0 where it includes all."),
		"Leat-Cursor":     text("The _cursor of the next page; not there on the last one."),
		"Link":            text("The next page: <...>; rel=\"next\"."),
		"Leat-Cache":      text("hit: a kept answer that still holds; miss: it was made now and is kept."),
		"Leat-Stale":      text("true: the server is at a limit, and this answer is an older one."),
		"ETag":            text("Changes when the answer may have changed; send it as If-None-Match and get 304."),
		"Age":             number("Seconds since a kept answer was known to hold."),
		"Retry-After":     number("Seconds to wait before trying again."),
		"Leat-Request-Id": text("Names the request in the server's log."),
	}
}

func freshHeaders(more ...string) object {
	out := object{}
	for _, name := range append([]string{"Leat-Position", "Leat-Watermark", "Leat-Lag-Ms", "Leat-Request-Id"}, more...) {
		out[name] = headerRef(name)
	}
	return out
}

func sorted(codes []types.Code) []string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = string(c)
	}
	slices.Sort(out)
	return out
}
