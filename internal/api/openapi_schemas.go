package api

import (
	"encoding/json"
	"strconv"

	"leat/internal/types"
)

// Short forms of schemas.
var (
	textSchema   = object{"type": "string"}
	numberSchema = object{"type": "integer"}
	flagSchema   = object{"type": "boolean"}
	timeSchema   = object{"type": "string", "format": "date-time"}
)

func listOf(items object) object { return object{"type": "array", "items": items} }

func record(required []string, properties object) object {
	return object{"type": "object", "required": required, "properties": properties}
}

// fixedSchemas are those of answers that are the same for all.
func fixedSchemas() object {
	fault := object{"code": object{"type": "string", "enum": sorted(types.Codes())}, "detail": textSchema, "hint": textSchema, "line": numberSchema, "column": numberSchema, "path": textSchema}
	problem := object{"type": textSchema, "title": textSchema, "status": numberSchema, "request_id": textSchema, "errors": listOf(object{"type": "object", "properties": fault})}
	for name, schema := range fault {
		problem[name] = schema
	}
	column := record([]string{"name", "type"}, object{"name": textSchema, "type": textSchema, "path": listOf(textSchema), "not_null": flagSchema, "primary_key": flagSchema})
	return object{
		"Problem": record([]string{"type", "title", "status", "detail", "code"}, problem),
		"Result":  resultSchema(object{"type": "object"}),
		"Statements": record([]string{"statements"}, object{"statements": listOf(record([]string{"statement"},
			object{"statement": textSchema, "name": textSchema, "status": textSchema, "rows": numberSchema}))}),
		"Sent": record([]string{"accepted", "dead_letters", "first_errors", "position", "created"}, object{"accepted": numberSchema, "dead_letters": numberSchema,
			"first_errors": listOf(object{"type": "object", "properties": fault}), "position": textSchema, "created": flagSchema, "duplicate": flagSchema}),
		"Written": record([]string{"position"}, object{"position": textSchema}),
		"Column":  column,
		"Relation": record([]string{"name", "kind", "columns", "statement"}, object{"name": textSchema, "kind": object{"type": "string", "enum": []string{"stream", "table", "view", "materialized view"}},
			"columns": object{"type": []string{"array", "null"}, "items": ref("schemas/Column")}, "statement": textSchema, "key": listOf(textSchema), "rows": numberSchema, "bytes": numberSchema}),
		"Endpoint": record([]string{"name", "params", "statement"}, object{"name": textSchema, "description": textSchema, "statement": textSchema,
			"params":  listOf(record([]string{"name", "type", "required"}, object{"name": textSchema, "type": textSchema, "required": flagSchema, "default": textSchema})),
			"columns": listOf(ref("schemas/Column"))}),
		"DeadLetter": record([]string{"id", "at"}, object{"id": textSchema, "at": timeSchema, "reason": object{"type": []string{"object", "null"}, "properties": fault},
			"record": numberSchema, "format": textSchema, "raw": textSchema, "raw_base64": textSchema, "truncated": flagSchema, "token": textSchema}),
		"Health": object{"type": "object", "properties": object{"alive": flagSchema, "ready": flagSchema}},
	}
}

// resultSchema is that of the json format with rows of a schema.
func resultSchema(row object) object {
	return record([]string{"meta", "data", "rows", "rows_before_limit_at_least", "truncated", "statistics"}, object{
		"meta":                       listOf(record([]string{"name", "type"}, object{"name": textSchema, "type": textSchema})),
		"data":                       listOf(row),
		"rows":                       numberSchema,
		"rows_before_limit_at_least": object{"type": "integer", "description": "How many rows there would be without the limit, at least."},
		"truncated":                  object{"type": "boolean", "description": "Whether a limit cut the result."},
		"statistics": record([]string{"elapsed", "rows_read", "bytes_read"}, object{"elapsed": object{"type": "number", "description": "Seconds."},
			"rows_read": numberSchema, "bytes_read": numberSchema}),
	})
}

// answerSchema is the JSON Schema of a route's JSON answer, nil where nothing more is known of it.
func answerSchema(r *route) object {
	switch r.id {
	case "runSQL", "querySQL":
		return object{"anyOf": []object{ref("schemas/Result"), ref("schemas/Statements")}}
	case "getEndpoint", "postEndpoint":
		return ref("schemas/Result")
	case "getViewRows":
		return object{"anyOf": []object{ref("schemas/Result"), {"type": "object"}}}
	case "sendEvents":
		return ref("schemas/Sent")
	case "listEndpoints":
		return record([]string{"endpoints"}, object{"endpoints": listOf(ref("schemas/Endpoint"))})
	case "listStreams":
		return record([]string{"streams"}, object{"streams": listOf(ref("schemas/Relation"))})
	case "getStream":
		return ref("schemas/Relation")
	case "putRow", "putRowByColumns", "deleteRow", "deleteRowByColumns":
		return ref("schemas/Written")
	case "getDeadLetter":
		return ref("schemas/DeadLetter")
	case "listDeadLetters":
		return record([]string{"dead_letters"}, object{"dead_letters": listOf(ref("schemas/DeadLetter")), "next_cursor": textSchema})
	case "healthz", "readyz":
		return ref("schemas/Health")
	}
	return object{"type": "object"}
}

// requestContent describes bodies.
func requestContent(r *route) object {
	schema := object{"type": "object"}
	switch r.id {
	case "runSQL":
		schema = object{"type": "object", "required": []string{"sql"}, "additionalProperties": false, "properties": object{
			"sql": textSchema, "params": object{"type": []string{"object", "array"}, "description": "Values of $name, or of $1, $2, ..."},
			"format": object{"type": "string", "enum": formatParam.enum}, "timeout": object{"type": "string", "pattern": durationPattern}, "limit": object{"type": "integer", "minimum": 1}}}
	case "createToken":
		schema = record([]string{"name", "scopes"}, object{"name": textSchema, "scopes": listOf(textSchema)})
	case "sendEvents":
		schema = object{"type": []string{"object", "array"}, "items": object{"type": "object"}}
	}
	out := content(r.body.types, schema)
	for _, t := range []string{"application/sql", "text/plain", "text/csv", "application/x-ndjson"} {
		if _, ok := out[t]; ok {
			out[t] = object{"schema": textSchema}
		}
	}
	return out
}

// defaultValue is a parameter's default as JSON.
func defaultValue(p Param) (any, bool) {
	text := *p.Default
	switch k := p.Type.Kind; {
	case k == types.Boolean:
		v, err := strconv.ParseBool(text)
		return v, err == nil
	case k.IsInteger() && k != types.HugeInt, k == types.Float, k == types.Double:
		var n json.Number
		err := json.Unmarshal([]byte(text), &n)
		return n, err == nil
	case k.IsNested() || k == types.JSON:
		return json.RawMessage(text), json.Valid([]byte(text))
	}
	return text, true
}
