package api

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"leat/internal/auth"
	"leat/internal/types"
)

// Routes of Tinybird's HTTP API (tinybird.co/docs/api-reference), as far as its public TypeScript packages use them: events, published
// queries, SQL, and what data sources there are. A pipe is an endpoint, a data source a stream, table or materialized view.

// tinybirdFormats are the suffixes of /v0/pipes/{name}.{suffix}, and our names of the forms.
var tinybirdFormats = map[string]string{"json": "json", "csv": "csv", "ndjson": "ndjson", "parquet": "parquet"}

// clickHouseFormats are ClickHouse's names of forms after FORMAT at the end of a query.
var clickHouseFormats = map[string]string{
	"json": "json", "jsoneachrow": "ndjson", "csvwithnames": "csv", "csv": "csv", "tabseparatedwithnames": "tsv", "tsvwithnames": "tsv", "tsv": "tsv",
	"tabseparated": "tsv", "parquet": "parquet", "arrowstream": "arrow",
}

// tinybirdRoutes are the rows of the route table.
func (s *server) tinybirdRoutes() []route {
	anything := answer{200, "The answer, as Tinybird gives it.", resultTypes}
	list := []route{
		{method: "POST", path: "/v0/events", id: "v0SendEvents", summary: "Tinybird: send events to the data source name.",
			body: body{types: eventTypes, required: true, events: true}, anyParam: true, tinybird: true,
			params: []param{{name: "name", kind: "string", about: "The stream.", required: true}, {name: "wait", kind: "string", about: "Answer once the rows are visible."},
				{name: "format", kind: "string", about: "ndjson or json."}},
			answer: answer{202, "How many rows were taken.", jsonOnly}, handle: s.tinybirdEvents, filtered: true},
		{method: "GET", path: "/v0/datasources", id: "v0ListDatasources", summary: "Tinybird: list streams, tables and materialized views.", tinybird: true, anyParam: true,
			answer: answer{200, "The data sources.", jsonOnly}, handle: s.tinybirdSources},
		{method: "GET", path: "/v0/datasources/{name}", id: "v0GetDatasource", summary: "Tinybird: show a stream, table or materialized view.", needs: []need{{auth.Read, "name"}}, tinybird: true, anyParam: true,
			answer: answer{200, "The data source.", jsonOnly}, handle: s.tinybirdSource},
		{method: "GET", path: "/v0/pipes", id: "v0ListPipes", summary: "Tinybird: list endpoints.", tinybird: true, anyParam: true,
			answer: answer{200, "The pipes.", jsonOnly}, handle: s.tinybirdPipes, filtered: true},
	}
	for _, method := range []string{"GET", "POST"} {
		in := body{}
		if method == "POST" {
			in = body{types: []string{"application/json", "application/x-www-form-urlencoded", "text/plain"}}
		}
		list = append(list,
			route{method: method, path: "/v0/pipes/{pipe}", id: strings.ToLower(method) + "V0Pipe", summary: "Tinybird: call an endpoint, as name.json, .csv, .ndjson or .parquet.",
				body: in, anyParam: true, repeated: true, tinybird: true, answer: anything, handle: s.tinybirdPipe, filtered: true, endpoint: "pipe"},
			route{method: method, path: "/v0/sql", id: strings.ToLower(method) + "V0SQL", summary: "Tinybird: run one query.",
				body: in, anyParam: true, tinybird: true, answer: anything, handle: s.tinybirdSQL})
	}
	return list
}

// tinybirdEvents answers 200 where the sender waits for the rows, else 202: they are durable in both cases.
func (s *server) tinybirdEvents(c *call) error {
	name := c.query.Get("name")
	if !c.principal.May(auth.Append, name) {
		return types.Errorf(types.PermissionDenied, "this token may not append to %.100q", name).WithHint("it needs the scope append:%.100s", name)
	}
	contentType := "application/x-ndjson"
	switch f := c.query.Get("format"); f {
	case "", "ndjson":
	case "json":
		contentType = "application/json"
	default:
		return badParam("format", "is %.40q; it can be ndjson or json", f)
	}
	wait := slices.Contains([]string{"true", "1"}, c.query.Get("wait"))
	ctx, cancel, err := c.deadline("", s.Limits.MaxTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	result, err := s.Events.Send(ctx, SendRequest{
		Principal: c.principal, Stream: name, Body: c.r.Body, ContentType: contentType, ContentEncoding: c.r.Header.Get("Content-Encoding"),
		ContentLength: c.r.ContentLength, WaitVisible: wait,
	})
	c.position(result.Position)
	if err != nil {
		return err
	}
	status := 202
	if wait {
		status = 200
	}
	return c.json(status, map[string]int64{"successful_rows": result.Accepted, "quarantined_rows": result.DeadLetters})
}

// tinybirdPipe calls an endpoint whose name ends in the form of the answer; without one it describes the endpoint.
func (s *server) tinybirdPipe(c *call) error {
	name, suffix, calls := strings.Cut(c.r.PathValue("pipe"), ".")
	if !c.principal.May(auth.Read, name) {
		return types.Errorf(types.PermissionDenied, "this token may not read %.100q", name).WithHint("it needs the scope read:%.100s", name)
	}
	if !calls && c.r.Method == "GET" {
		list, err := s.readableEndpoints(c)
		if err != nil {
			return err
		}
		e, err := pipeIn(list, name)
		if err != nil {
			return err
		}
		return c.json(200, pipeOf(e))
	}
	all, err := s.Catalog.Endpoints(c.r.Context())
	if err != nil {
		return err
	}
	e, err := pipeIn(all, name)
	if err != nil {
		return err
	}
	format, ok := tinybirdFormats[suffix]
	if !ok {
		return types.Errorf(types.NotFound, "pipe %.100q has no form %.20q", name, suffix).WithHint("the forms are .json, .csv, .ndjson and .parquet")
	}
	sent, err := c.tinybirdArgs()
	if err != nil {
		return err
	}
	if sent.Has("q") {
		return badParam("q", "is not supported: a pipe is called with its own parameters").WithHint("run the query at /v0/sql")
	}
	args := map[string]any{}
	for name, values := range sent {
		i := slices.IndexFunc(e.Params, func(p Param) bool { return p.Name == name })
		if i < 0 {
			continue // Tinybird passes over parameters that a pipe doesn't have
		}
		args[name] = values[len(values)-1]
		if e.Params[i].Type.Kind == types.List && !strings.HasPrefix(values[0], "[") {
			if len(values) == 1 {
				values = strings.Split(values[0], ",")
			}
			args[name] = values
		}
	}
	return c.callAs(name, args, format)
}

// callAs calls an endpoint for an answer in ClickHouse's dialect.
func (c *call) callAs(name string, args map[string]any, format string) error {
	o, err := c.resultOptions(format)
	if err != nil {
		return err
	}
	o.encode.ClickHouse = true
	return c.readEndpoint(name, args, o)
}

// tinybirdArgs are the parameters of the URL and of a form or a JSON object in the body, without the token.
func (c *call) tinybirdArgs() (url.Values, error) {
	out := url.Values{}
	for name, values := range c.query {
		if name != "token" {
			out[name] = values
		}
	}
	if c.r.Method != "POST" {
		return out, nil
	}
	t, err := c.mediaType()
	if err != nil {
		return nil, err
	}
	if t == "application/json" {
		var sent map[string]any
		if err := c.readJSON(&sent); err != nil {
			return nil, err
		}
		for name, v := range sent {
			if v != nil {
				out[name] = []string{jsonText(v)}
			}
		}
		return out, nil
	}
	b, err := c.readBody()
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, types.Errorf(types.InvalidArgument, "the body is no form: %w", err)
	}
	for name, values := range form {
		out[name] = values
	}
	return out, nil
}

var formatClause = regexp.MustCompile(`(?is)\s+format\s+([a-z]+)\s*;?\s*$`)

// tinybirdSQL runs one query; its form is that of FORMAT at its end, else JSON.
func (s *server) tinybirdSQL(c *call) error {
	text := c.query.Get("q")
	if c.r.Method == "POST" {
		t, err := c.mediaType()
		if err != nil {
			return err
		}
		body, err := c.readBody()
		if err != nil {
			return err
		}
		if form, err := url.ParseQuery(string(body)); t == "application/x-www-form-urlencoded" && err == nil && form.Has("q") {
			text = form.Get("q")
		} else if len(body) > 0 {
			text = string(body)
		}
	}
	if strings.TrimSpace(text) == "" {
		return badParam("q", "is required: the query")
	}
	format := "json"
	if m := formatClause.FindStringSubmatch(text); m != nil {
		known, ok := clickHouseFormats[strings.ToLower(m[1])]
		if !ok {
			return badParam("q", "has FORMAT %.40s, which is not supported", m[1]).WithHint("JSON, JSONEachRow, CSVWithNames, TSVWithNames, Parquet and ArrowStream are")
		}
		format, text = known, text[:len(text)-len(m[0])]
	}
	o, err := c.resultOptions(format)
	if err != nil {
		return err
	}
	o.encode.ClickHouse = true
	ctx, cancel, err := c.deadline("", s.Limits.QueryTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	out, err := s.Queries.SQL(ctx, SQLRequest{Principal: c.principal, SQL: text, ReadOnly: true, Freshness: o.Freshness, Limit: o.limit})
	if err != nil {
		return err
	}
	return c.answer(ctx, out, o)
}
