package api

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"leat/internal/types"
)

// object is a JSON object; encoding/json sorts its keys, so that the document is the same each time.
type object map[string]any

// openapi answers with an OpenAPI 3.1 document made from the route table and the endpoints that the caller may read.
func (s *server) openapi(c *call) error {
	endpoints, err := s.readableEndpoints(c)
	if err != nil {
		return err
	}
	return c.json(200, document(s.table, endpoints, s.Version))
}

func document(table []route, endpoints []Endpoint, version string) object {
	if version == "" {
		version = "unknown"
	}
	paths := object{}
	put := func(path, method string, op object) {
		item, ok := paths[path].(object)
		if !ok {
			item = object{}
			paths[path] = item
		}
		item[strings.ToLower(method)] = op
	}
	for i := range table {
		put(openPath(table[i].path), table[i].method, operation(&table[i]))
	}
	for _, e := range endpoints {
		put("/v1/endpoints/"+e.Name, "GET", endpointGet(e))
		put("/v1/endpoints/"+e.Name, "POST", endpointPost(e))
	}
	return object{
		"openapi": "3.1.0",
		"info":    object{"title": "Leat", "version": version, "description": "Send events, query them as SQL and as HTTP APIs."},
		"paths":   paths,
		"components": object{
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "bearerFormat": "leat_<id>_<secret>"}},
			"schemas":         object{"Problem": problemSchema()},
			"responses": object{"Problem": object{"description": "What went wrong, and how to mend it (RFC 9457).",
				"content": object{problemType: object{"schema": ref("schemas/Problem")}}}},
		},
	}
}

func ref(to string) object { return object{"$ref": "#/components/" + to} }

var wildcard = regexp.MustCompile(`\{([a-z]+)(?:\.\.\.)?\}`)

// openPath writes the mux's {name...} as {name}.
func openPath(path string) string { return wildcard.ReplaceAllString(path, "{$1}") }

func operation(r *route) object {
	op := object{"operationId": r.id, "summary": r.summary, "tags": []string{tag(r.path)}, "responses": responses(r.answer)}
	var params []object
	for _, m := range wildcard.FindAllStringSubmatch(r.path, -1) {
		params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range r.params {
		params = append(params, queryParam(p))
	}
	if params != nil {
		op["parameters"] = params
	}
	if r.body.types != nil {
		op["requestBody"] = object{"required": r.body.required, "content": content(r.body.types)}
	}
	if !r.public {
		op["security"] = []object{{"token": scopes(r.needs)}, {}}
	}
	return op
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
	return word
}

func responses(a answer) object {
	ok := object{"description": a.about}
	if a.types != nil {
		ok["content"] = content(a.types)
	}
	return object{strconv.Itoa(a.status): ok, "default": ref("responses/Problem")}
}

func content(mediaTypes []string) object {
	out := object{}
	for _, t := range mediaTypes {
		out[t] = object{}
	}
	return out
}

func queryParam(p param) object {
	schema := object{"type": p.kind}
	if p.enum != nil {
		schema["enum"] = p.enum
	}
	return object{"name": p.name, "in": "query", "description": p.about, "required": p.required, "schema": schema}
}

func endpointGet(e Endpoint) object {
	params := []object{}
	for _, p := range e.Params {
		params = append(params, object{"name": p.Name, "in": "query", "required": p.Required, "schema": paramSchema(p)})
	}
	for _, p := range resultParams {
		params = append(params, queryParam(p))
	}
	return endpointOperation(e, "get", object{"parameters": params})
}

func endpointPost(e Endpoint) object {
	properties, required := object{}, []string{}
	for _, p := range e.Params {
		properties[p.Name] = paramSchema(p)
		if p.Required {
			required = append(required, p.Name)
		}
	}
	schema := object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	return endpointOperation(e, "post", object{"requestBody": object{
		"required": len(required) > 0, "content": object{"application/json": object{"schema": schema}},
	}})
}

func endpointOperation(e Endpoint, verb string, op object) object {
	op["operationId"] = verb + "_" + e.Name
	op["summary"] = e.Description
	op["tags"] = []string{"endpoints"}
	op["responses"] = responses(resultAnswer)
	op["security"] = []object{{"token": []string{"read:" + e.Name}}, {}}
	return op
}

func paramSchema(p Param) object {
	schema := typeSchema(p.Type)
	schema["description"] = p.Type.String()
	if p.Default != nil {
		schema["description"] = p.Type.String() + ", by default " + *p.Default
	}
	return schema
}

// typeSchema is the JSON Schema of a value on the wire.
func typeSchema(t types.Type) object {
	switch k := t.Kind; {
	case k == types.Boolean:
		return object{"type": "boolean"}
	case k.IsInteger() && k != types.HugeInt:
		return object{"type": "integer", "format": "int64"}
	case k == types.Float || k == types.Double:
		return object{"type": "number", "format": "double"}
	case k == types.Date:
		return object{"type": "string", "format": "date"}
	case k == types.TimestampTZ:
		return object{"type": "string", "format": "date-time"}
	case k == types.UUID:
		return object{"type": "string", "format": "uuid"}
	case k == types.Blob:
		return object{"type": "string", "contentEncoding": "base64"}
	case k == types.List:
		return object{"type": "array", "items": typeSchema(*t.Elem)}
	case k == types.Struct || k == types.Map:
		return object{"type": "object"}
	case k == types.JSON:
		return object{}
	}
	return object{"type": "string"} // text; also HUGEINT and DECIMAL, which JSON numbers can't hold exactly
}

func problemSchema() object {
	text, number := object{"type": "string"}, object{"type": "integer"}
	codes := types.Codes()
	place := object{"code": object{"type": "string", "enum": sorted(codes)}, "detail": text, "hint": text, "line": number, "column": number, "path": text}
	whole := object{"type": text, "title": text, "status": number, "request_id": text,
		"errors": object{"type": "array", "items": object{"type": "object", "properties": place}}}
	for name, schema := range place {
		whole[name] = schema
	}
	return object{"type": "object", "required": []string{"type", "title", "status", "detail", "code"}, "properties": whole}
}

func sorted(codes []types.Code) []string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = string(c)
	}
	slices.Sort(out)
	return out
}
