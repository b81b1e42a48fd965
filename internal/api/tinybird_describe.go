package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"leat/internal/auth"
	"leat/internal/codec/encode"
	"leat/internal/types"
)

// tinybirdSource is a data source as /v0/datasources shows it.
type tinybirdSource struct {
	ID          string           `json:"id"`
	Name        string           `json:"name"`
	Description string           `json:"description"`
	Type        string           `json:"type"`
	CreatedAt   string           `json:"created_at"`
	Columns     []tinybirdColumn `json:"columns"`
	Schema      tinybirdSchema   `json:"schema"`
	Engine      tinybirdEngine   `json:"engine"`
	Statistics  tinybirdFigures  `json:"statistics"`
}

type tinybirdColumn struct {
	Name       string  `json:"name"`
	Type       string  `json:"type"`
	JSONPath   string  `json:"jsonpath,omitempty"`
	Nullable   bool    `json:"nullable"`
	Default    *string `json:"default_value"`
	Normalized string  `json:"normalized_name"`
}

type tinybirdSchema struct {
	SQL     string           `json:"sql_schema"`
	Columns []tinybirdColumn `json:"columns"`
}

type tinybirdEngine struct {
	Engine     string `json:"engine"`
	SortingKey string `json:"engine_sorting_key"`
	PrimaryKey string `json:"engine_primary_key"`
}

type tinybirdFigures struct {
	Bytes int64 `json:"bytes"`
	Rows  int64 `json:"row_count"`
}

// sourceOf describes a relation. What replaces rows by their key is a ReplacingMergeTree there.
func sourceOf(r *Relation) tinybirdSource {
	out := tinybirdSource{
		ID: r.Name, Name: r.Name, Type: "ndjson", CreatedAt: r.CreatedAt.UTC().Format(time.RFC3339), Columns: []tinybirdColumn{},
		Engine: tinybirdEngine{Engine: "MergeTree"}, Statistics: tinybirdFigures{r.Bytes, r.Rows},
	}
	key := strings.Join(r.Key, ", ")
	if key != "" {
		out.Engine = tinybirdEngine{"ReplacingMergeTree", key, key}
	}
	var text []string
	for _, col := range r.Columns {
		path := "$." + col.Name
		if len(col.Path) > 0 {
			path = "$." + strings.Join(col.Path, ".")
		}
		kind := encode.ClickHouseType(col.Type)
		nullable := !col.NotNull && !col.PrimaryKey
		shown := kind
		if nullable && !strings.Contains(kind, "(") {
			shown = "Nullable(" + kind + ")"
		}
		out.Columns = append(out.Columns, tinybirdColumn{Name: col.Name, Type: shown, JSONPath: path, Nullable: nullable, Normalized: col.Name})
		text = append(text, "`"+col.Name+"` "+shown+" `json:"+path+"`")
	}
	out.Schema = tinybirdSchema{strings.Join(text, ", "), out.Columns}
	return out
}

func (s *server) tinybirdSources(c *call) error {
	all, err := s.Catalog.Relations(c.r.Context())
	if err != nil {
		return err
	}
	out := []tinybirdSource{}
	for i := range all {
		if all[i].Kind != "view" && c.principal.May(auth.Read, all[i].Name) {
			out = append(out, sourceOf(&all[i]))
		}
	}
	return c.json(200, map[string]any{"datasources": out})
}

func (s *server) tinybirdSource(c *call) error {
	name := c.r.PathValue("name")
	r, err := s.Catalog.Relation(c.r.Context(), name)
	if types.HasCode(err, types.UnknownRelation) || err == nil && r.Kind == "view" {
		return types.Errorf(types.NotFound, "there is no data source %.100q", name)
	}
	if err != nil {
		return err
	}
	return c.json(200, sourceOf(&r))
}

// tinybirdPipeJSON is an endpoint as /v0/pipes shows it: a pipe of one node.
type tinybirdPipeJSON struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Type        string         `json:"type"`
	Endpoint    string         `json:"endpoint"`
	Nodes       []tinybirdNode `json:"nodes"`
}

type tinybirdNode struct {
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	SQL    string          `json:"sql"`
	Params []tinybirdParam `json:"params"`
}

type tinybirdParam struct {
	Name     string  `json:"name"`
	Type     string  `json:"type"`
	Default  *string `json:"default"`
	Required bool    `json:"required"`
}

func pipeOf(e *Endpoint) tinybirdPipeJSON {
	n := tinybirdNode{ID: e.Name, Name: e.Name, SQL: e.Statement, Params: []tinybirdParam{}}
	for _, p := range e.Params {
		n.Params = append(n.Params, tinybirdParam{p.Name, encode.ClickHouseType(p.Type), p.Default, p.Required})
	}
	return tinybirdPipeJSON{ID: e.Name, Name: e.Name, Description: e.Description, Type: "endpoint", Endpoint: e.Name, Nodes: []tinybirdNode{n}}
}

func (s *server) tinybirdPipes(c *call) error {
	list, err := s.readableEndpoints(c)
	if err != nil {
		return err
	}
	out := []tinybirdPipeJSON{}
	for i := range list {
		out = append(out, pipeOf(&list[i]))
	}
	return c.json(200, map[string]any{"pipes": out})
}

// pipeIn finds an endpoint by name.
func pipeIn(all []Endpoint, name string) (*Endpoint, error) {
	i := slices.IndexFunc(all, func(e Endpoint) bool { return e.Name == name })
	if i < 0 {
		return nil, types.Errorf(types.NotFound, "there is no pipe %.100q", name).WithHint("a pipe is an endpoint: SHOW ENDPOINTS lists them")
	}
	return &all[i], nil
}

// jsonText is a value of JSON as a parameter's text: numbers as they were written, arrays and objects as JSON.
func jsonText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// writeTinybirdError answers with an error as Tinybird's clients read it. A bad token is 403 there.
func writeTinybirdError(w http.ResponseWriter, e *types.Error, requestID string) {
	writeProblem(&tinybirdErrors{ResponseWriter: w, message: e.Message, hint: e.Hint}, e, requestID)
}

// tinybirdErrors takes a problem, of which it keeps the status and what is said in words.
type tinybirdErrors struct {
	http.ResponseWriter
	message, hint string
	internal      bool
}

// WriteHeader is part of http.ResponseWriter.
func (t *tinybirdErrors) WriteHeader(status int) {
	t.internal = status >= 500
	if status == http.StatusUnauthorized {
		status = http.StatusForbidden
	}
	t.Header().Set("Content-Type", "application/json")
	t.ResponseWriter.WriteHeader(status)
}

// Write is part of io.Writer.
func (t *tinybirdErrors) Write(b []byte) (int, error) {
	var p problem
	message := t.message
	if json.Unmarshal(b, &p) == nil && p.Detail != "" {
		message = p.Detail
	}
	if t.hint != "" && !t.internal {
		message += " (" + t.hint + ")"
	}
	writeJSONTo(t.ResponseWriter, map[string]string{"error": message, "documentation": "docs/guides/tinybird.md"})
	return len(b), nil
}
