package api

import (
	"slices"

	"leat/internal/auth"
)

// route is one row of the table that everything about routes comes from: the mux, the checks of scopes, parameters and
// body sizes, and the OpenAPI document.
type route struct {
	method, path string
	// public routes need no token. All others need one where the server has tokens, and every scope in needs.
	public bool
	needs  []need
	// filtered routes are for principals who see some rows only, too: what they answer passes through row filters. All others refuse those.
	filtered bool
	// tokenInURL routes take the token as the parameter _token too, and go on until the client leaves: SSE and WebSocket, where a browser can set
	// no header. They end when the token is revoked or the JWT ends.
	tokenInURL bool
	// endpoint is the wildcard of the path that names an endpoint, whose limits then count; "" is none.
	endpoint string
	// kept routes may give a kept answer where the endpoint is at its limit: they ask call.overloaded.
	kept bool
	// audited routes change definitions or credentials: what they do is told to the audit log with where it came from.
	audited bool
	// always routes are answered even when the server is at its limit of requests.
	always bool
	// body is the kind of body; the zero value is none.
	body body
	// params are the query parameters; anyParam lets others through (arguments of endpoints, columns of a key).
	params   []param
	anyParam bool
	// repeated lets parameters of anyParam come several times.
	repeated bool
	// tinybird routes take the token as the parameter token too, and tell errors as Tinybird does.
	tinybird bool
	handle   func(*call) error

	id, summary string
	answer      answer
}

// need is a scope that a route asks for; object is the name of the path's wildcard that names the object, or "*".
type need struct {
	action auth.Action
	object string
}

// body says what a route reads.
type body struct {
	types    []string
	required bool
	events   bool // limited by MaxEventBytes and handed on unread
}

// param is a query parameter. Kind is a JSON Schema type.
type param struct {
	name, kind, about string
	required          bool
	enum              []string
}

// answer describes a success.
type answer struct {
	status int
	about  string
	types  []string
}

var (
	formatParam    = param{name: "format", kind: "string", about: "Form of the result; else by Accept.", enum: []string{"json", "ndjson", "csv", "tsv", "parquet", "arrow"}}
	int64Param     = param{name: "_int64", kind: "string", about: "Quote 64-bit integers in JSON.", enum: []string{"number", "string"}}
	timeoutParam   = param{name: "_timeout", kind: "string", about: "Longest time, such as 500ms or 10s."}
	limitParam     = param{name: "_limit", kind: "integer", about: "Most rows; a cut result says so."}
	stalenessParam = param{name: "_max_staleness", kind: "string", about: "How far the answer may lag behind what was sent, such as 500ms."}
	cursorParam    = param{name: "_cursor", kind: "string", about: "Leat-Cursor of the page before, whose other parameters are repeated."}
	resultParams   = []param{formatParam, int64Param, timeoutParam, limitParam, stalenessParam}
	callParams     = append([]param{cursorParam}, resultParams...)
	whyParams      = append([]param{whyParam}, callParams...)
	rowParams      = []param{int64Param, timeoutParam, stalenessParam}

	jsonOnly    = []string{"application/json"}
	resultTypes = []string{"application/json", "application/x-ndjson", "text/csv", "text/tab-separated-values", "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"}
	eventTypes  = []string{"application/x-ndjson", "application/json", "text/csv", "application/octet-stream"}
	sqlTypes    = []string{"application/sql", "text/plain", "application/json"}

	resultAnswer = answer{200, "The result.", resultTypes}
	pageAnswer   = answer{200, "The row, or a page of rows in the order of the key or index; the headers Leat-Cursor and Link lead to the next one.", resultTypes}
	writeAnswer  = answer{200, "The position of the write.", jsonOnly}
)

const byColumnsText = " (column=value, column.null for NULL): one object for a whole key, a page of rows for first columns or none."

// routes lists every route. Scopes of single statements and objects are checked again by what runs them.
func (s *server) routes() []route {
	read, appendTo := auth.Read, auth.Append
	raw := func(a auth.Action) []need { return []need{{auth.Raw, ""}, {a, "stream"}} }
	list := []route{
		{method: "POST", path: "/v1/events/{stream}", id: "sendEvents", summary: "Send events to a stream; the first ones make it.",
			needs: []need{{appendTo, "stream"}}, body: body{types: eventTypes, required: true, events: true},
			params: []param{{name: "wait", kind: "string", about: "Answer once SQL sees the rows.", enum: []string{"visible"}},
				{name: "strict", kind: "boolean", about: "Keep all records or none."}, timeoutParam},
			answer: answer{200, "Every record is durable, dead letters included.", jsonOnly}, handle: s.sendEvents, filtered: true},

		{method: "POST", path: "/v1/sql", id: "runSQL", summary: "Run a script of SQL statements.",
			body: body{types: sqlTypes, required: true}, params: resultParams, answer: resultAnswer, handle: s.postSQL, audited: true},
		{method: "GET", path: "/v1/sql", id: "querySQL", summary: "Run one query; it can change nothing.",
			params: append([]param{{name: "q", kind: "string", about: "The SQL.", required: true}}, resultParams...),
			answer: resultAnswer, handle: s.getSQL},

		{method: "GET", path: "/v1/endpoints", id: "listEndpoints", summary: "List the endpoints that the token may read.",
			answer: answer{200, "The endpoints.", jsonOnly}, handle: s.listEndpoints, filtered: true},
		{method: "GET", path: "/v1/endpoints/{endpoint}", id: "getEndpoint", summary: "Call an endpoint with its parameters in the URL.",
			needs: []need{{read, "endpoint"}}, params: whyParams, anyParam: true, answer: resultAnswer, handle: s.getEndpoint, filtered: true, endpoint: "endpoint", kept: true},
		{method: "POST", path: "/v1/endpoints/{endpoint}", id: "postEndpoint", summary: "Call an endpoint with its parameters as a JSON object.",
			needs: []need{{read, "endpoint"}}, body: body{types: []string{"application/json", "application/x-www-form-urlencoded"}}, params: whyParams, anyParam: true, answer: resultAnswer, handle: s.postEndpoint, filtered: true, endpoint: "endpoint", kept: true},

		{method: "GET", path: "/v1/streams", id: "listStreams", summary: "List the streams, tables and views that the token may read.",
			answer: answer{200, "The relations.", jsonOnly}, handle: s.listStreams},
		{method: "GET", path: "/v1/streams/{stream}", id: "getStream", summary: "Show a stream, table or view: its schema and the statement that makes it.",
			needs: []need{{read, "stream"}}, answer: answer{200, "The relation.", jsonOnly}, handle: s.getStream},
	}
	for _, path := range []string{"/v1/tables/{table}/rows/{key}", "/v1/tables/{table}/rows"} {
		suffix, byColumns := "", false
		if path == "/v1/tables/{table}/rows" {
			suffix, byColumns = "ByColumns", true
		}
		one := route{method: "GET", path: path, id: "getRow", summary: "Read one row of a table by its key.",
			needs: []need{{read, "table"}}, params: rowParams, answer: answer{200, "The row as an object.", jsonOnly}, handle: s.getRow, filtered: true}
		if byColumns {
			one = route{method: "GET", path: path, id: "getRows", summary: "Read rows of a table by columns of its key or of an index" + byColumnsText,
				needs: []need{{read, "table"}}, params: callParams, anyParam: true, answer: pageAnswer, handle: s.getRows, filtered: true}
		}
		list = append(list, one,
			route{method: "PUT", path: path, id: "putRow" + suffix, summary: "Make or replace one row of a table.",
				needs: []need{{appendTo, "table"}}, body: body{types: jsonOnly, required: true}, params: []param{timeoutParam}, anyParam: byColumns, answer: writeAnswer, handle: s.putRow},
			route{method: "DELETE", path: path, id: "deleteRow" + suffix, summary: "Delete one row of a table.",
				needs: []need{{appendTo, "table"}}, params: []param{timeoutParam}, anyParam: byColumns, answer: writeAnswer, handle: s.deleteRow})
	}
	list = append(list,
		route{method: "GET", path: "/v1/views/{view}/rows/{key}", id: "getViewRow", summary: "Read one row of a materialized view by its key.",
			needs: []need{{read, "view"}}, params: append([]param{whyParam}, rowParams...), answer: answer{200, "The row as an object.", jsonOnly}, handle: s.getViewRow, filtered: true},
		route{method: "GET", path: "/v1/views/{view}/rows", id: "getViewRows",
			summary: "Read rows of a materialized view by columns of its key or of an index" + byColumnsText,
			needs:   []need{{read, "view"}}, params: whyParams, anyParam: true, answer: pageAnswer, handle: s.getRows, filtered: true},
		route{method: "GET", path: "/v1/views/{view}/changes", id: "followView",
			summary: "Follow a materialized view: its rows, then each change, as Server-Sent Events or over WebSocket. column=value picks rows.",
			needs:   []need{{read, "view"}}, params: pushParams, anyParam: true, filtered: true, tokenInURL: true, answer: pushAnswer, handle: s.viewChanges},
		route{method: "GET", path: "/v1/tables/{table}/changes", id: "followTable", summary: "Follow a table, as a materialized view.",
			needs: []need{{read, "table"}}, params: pushParams, anyParam: true, filtered: true, tokenInURL: true, answer: pushAnswer, handle: s.tableChanges},
		route{method: "GET", path: "/v1/endpoints/{endpoint}/live", id: "followEndpoint",
			summary: "Follow the result of an endpoint with its parameters in the URL, as a materialized view.",
			needs:   []need{{read, "endpoint"}}, params: pushParams, anyParam: true, filtered: true, tokenInURL: true, endpoint: "endpoint", answer: pushAnswer, handle: s.endpointLive},

		route{method: "GET", path: "/v1/dead-letters/{stream}", id: "listDeadLetters", summary: "List a stream's dead letters, oldest first.",
			needs: raw(read), params: []param{{name: "_limit", kind: "integer", about: "Most dead letters; 100, at most 1000."}, {name: "_cursor", kind: "string", about: "next_cursor of the page before."},
				{name: "reason", kind: "string", about: "Only those with this code."}},
			answer: answer{200, "A page of dead letters.", jsonOnly}, handle: s.listDeadLetters},
		route{method: "GET", path: "/v1/dead-letters/{stream}/{id}", id: "getDeadLetter", summary: "Show one dead letter.",
			needs: raw(read), answer: answer{200, "The dead letter.", jsonOnly}, handle: s.getDeadLetter},
		route{method: "POST", path: "/v1/dead-letters/{stream}/replay", id: "replayDeadLetters", summary: "Send dead letters through the present schema.",
			needs: raw(appendTo), body: body{types: jsonOnly, required: true}, answer: answer{200, "What became of them.", jsonOnly}, handle: s.replayDeadLetters},
		route{method: "POST", path: "/v1/dead-letters/{stream}/purge", id: "purgeDeadLetters", summary: "Forget dead letters.",
			needs: raw(appendTo), body: body{types: jsonOnly, required: true}, answer: answer{200, "How many were forgotten.", jsonOnly}, handle: s.purgeDeadLetters},

		route{method: "GET", path: "/v1/tokens", id: "listTokens", summary: "List tokens, without their secrets.",
			needs: []need{{auth.Admin, ""}}, answer: answer{200, "The tokens.", jsonOnly}, handle: s.listTokens},
		route{method: "POST", path: "/v1/tokens", id: "createToken", summary: "Make a token; its text is shown this once.",
			needs: []need{{auth.Admin, ""}}, body: body{types: jsonOnly, required: true}, answer: answer{201, "The token.", jsonOnly}, handle: s.createToken},
		route{method: "DELETE", path: "/v1/tokens/{id}", id: "revokeToken", summary: "Revoke a token at once.",
			needs: []need{{auth.Admin, ""}}, answer: answer{status: 204, about: "It is revoked."}, handle: s.revokeToken},
		route{method: "GET", path: "/v1/issuers", id: "listIssuers", summary: "List issuers of JWTs, without their secrets.",
			needs: []need{{auth.Admin, ""}}, answer: answer{200, "The issuers.", jsonOnly}, handle: s.listIssuers},
		route{method: "POST", path: "/v1/issuers", id: "createIssuer", summary: "Name an issuer whose JWTs are accepted, and what they may do at most.",
			needs: []need{{auth.Admin, ""}}, body: body{types: jsonOnly, required: true}, answer: answer{201, "The issuer.", jsonOnly}, handle: s.createIssuer},
		route{method: "DELETE", path: "/v1/issuers/{name}", id: "deleteIssuer", summary: "Forget an issuer; its JWTs are refused at once.",
			needs: []need{{auth.Admin, ""}}, answer: answer{status: 204, about: "It is forgotten."}, handle: s.deleteIssuer},
		route{method: "GET", path: "/v1/status", id: "getStatus", summary: "Show how the server is doing.",
			needs: []need{{read, "*"}}, answer: answer{200, "The status.", jsonOnly}, handle: s.getStatus},
		route{method: "GET", path: "/v1/jobs", id: "listJobs", summary: "List background jobs.",
			needs: []need{{read, "*"}}, answer: answer{200, "The jobs.", jsonOnly}, handle: s.getJobs},

		route{method: "GET", path: "/healthz", id: "healthz", summary: "Is the process well? Else restart it.", public: true, always: true,
			answer: answer{200, "It is alive.", jsonOnly}, handle: s.healthz},
		route{method: "GET", path: "/readyz", id: "readyz", summary: "Can the server take requests?", public: true, always: true,
			answer: answer{200, "It is ready.", jsonOnly}, handle: s.readyz},
		route{method: "GET", path: "/metrics", id: "metrics", summary: "Metrics in Prometheus's form.", always: true,
			needs: []need{{read, "*"}}, answer: answer{200, "The metrics.", []string{"text/plain"}}, anyParam: true, handle: s.metrics},
		route{method: "GET", path: "/openapi.json", id: "openapi", summary: "This document, with the endpoints that the token may read.",
			answer: answer{200, "The document.", jsonOnly}, handle: s.openapi, filtered: true},
		route{method: "GET", path: "/docs", id: "docs", summary: "A page that shows this document, with a form to try each route.", public: true,
			answer: answer{200, "The page.", []string{"text/html"}}, handle: s.docs},
	)
	list = append(list, s.tinybirdRoutes()...)
	if s.Pprof {
		list = append(list, route{method: "GET", path: "/debug/pprof/{profile...}", id: "pprof", summary: "Profiles of the Go runtime.", always: true,
			needs: []need{{auth.Admin, ""}}, answer: answer{200, "The profile.", []string{"application/octet-stream"}}, anyParam: true, handle: s.pprof})
	}
	return list
}

func (r *route) pattern() string { return r.method + " " + r.path }

func (r *route) hasParam(name string) bool {
	return slices.ContainsFunc(r.params, func(p param) bool { return p.name == name })
}
