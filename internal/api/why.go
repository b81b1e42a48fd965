package api

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"leat/internal/auth"
	"leat/internal/types"
)

// Explainer tells where rows come from; Queries that are none refuse _why.
type Explainer interface {
	Why(ctx context.Context, r WhyRequest) (*Why, error)
}

// WhyRequest asks for the rows behind a row of a materialized view, or behind the answer of an endpoint.
type WhyRequest struct {
	Principal auth.Principal
	// View is looked up by Key or Columns, as Lookup has them; where it is "", Endpoint is called with Args.
	View     string
	Key      *string
	Columns  map[string]string
	Endpoint string
	Args     map[string]any
	Freshness
}

// Why is where rows come from. The API closes all Rows in it.
type Why struct {
	// View is what has the rows, of Version.
	View    string
	Version int
	Rows    WhyRows
	Inputs  []WhyInput
	Seen
	// Exact says that the query over the input rows gives these rows; Notes say why it may not.
	Exact bool
	Notes []string
}

// WhyInput are the rows of one relation on which rows depend, and of a view what those depend on.
type WhyInput struct {
	Relation, Kind, Predicate string
	Rows                      WhyRows
	Inputs                    []WhyInput
}

// WhyRows are rows in memory.
type WhyRows struct {
	Rows      Rows
	Truncated bool
}

var whyParam = param{name: "_why", kind: "boolean", about: "Answer with the input rows behind the row instead; it takes the scope raw."}

// why answers a request with _why; done is false where it has none.
func (c *call) why(r WhyRequest) (done bool, err error) {
	if asked, err := c.bool(whyParam.name); err != nil || !asked {
		return err != nil, err
	}
	explainer, ok := c.s.Queries.(Explainer)
	if !ok {
		return true, types.Errorf(types.Unsupported, "this server can't tell where rows come from")
	}
	o, err := c.resultOptions("json")
	if err != nil {
		return true, err
	}
	ctx, cancel, err := c.deadline("", c.s.Limits.QueryTimeout)
	if err != nil {
		return true, err
	}
	defer cancel()
	r.Principal, r.Freshness = c.principal, o.Freshness
	why, err := explainer.Why(ctx, r)
	if err != nil {
		return true, err
	}
	shown, err := c.shownWhy(ctx, why, r, o)
	if err != nil {
		return true, err
	}
	body := c.newBody(o.coding, resultBuffer)
	defer body.release()
	c.seen(why.Seen)
	set(c.w.Header(), "Content-Type", "application/json")
	c.w.Header().Add("Vary", "Accept-Encoding")
	e := json.NewEncoder(body)
	e.SetEscapeHTML(false) // predicates have < and >
	if err := e.Encode(shown); err != nil {
		return true, err
	}
	return true, body.finish(nil)
}

// whyAnswer is the JSON of an explanation.
type whyAnswer struct {
	Endpoint string            `json:"endpoint,omitempty"`
	View     string            `json:"view"`
	Version  int               `json:"view_version"`
	Position string            `json:"position"`
	Row      json.RawMessage   `json:"row,omitempty"`
	Rows     []json.RawMessage `json:"rows,omitempty"`
	Inputs   []whyShown        `json:"inputs"`
	Exact    bool              `json:"exact"`
	Note     string            `json:"note,omitempty"`
}

type whyShown struct {
	Relation  string            `json:"relation"`
	Kind      string            `json:"kind"`
	Predicate string            `json:"predicate,omitempty"`
	Rows      []json.RawMessage `json:"rows"`
	Truncated bool              `json:"truncated"`
	Inputs    []whyShown        `json:"inputs,omitempty"`
}

func (c *call) shownWhy(ctx context.Context, why *Why, r WhyRequest, o resultOptions) (*whyAnswer, error) {
	out := &whyAnswer{Endpoint: r.Endpoint, View: why.View, Version: why.Version, Position: why.Position.Token(), Exact: why.Exact, Note: strings.Join(why.Notes, "; ")}
	rows, err := c.rowObjects(ctx, why.Rows, o)
	if err != nil {
		return nil, err
	}
	if r.View != "" && len(rows) == 1 {
		out.Row = rows[0]
	} else {
		out.Rows = rows
	}
	out.Inputs, err = c.shownInputs(ctx, why.Inputs, o)
	return out, err
}

func (c *call) shownInputs(ctx context.Context, inputs []WhyInput, o resultOptions) ([]whyShown, error) {
	out := make([]whyShown, 0, len(inputs))
	for _, in := range inputs {
		rows, err := c.rowObjects(ctx, in.Rows, o)
		if err != nil {
			return nil, err
		}
		below, err := c.shownInputs(ctx, in.Inputs, o)
		if err != nil {
			return nil, err
		}
		out = append(out, whyShown{in.Relation, in.Kind, in.Predicate, rows, in.Rows.Truncated, below})
	}
	return out, nil
}

// rowObjects are rows as JSON objects; never nil.
func (c *call) rowObjects(ctx context.Context, r WhyRows, o resultOptions) ([]json.RawMessage, error) {
	out := []json.RawMessage{}
	if r.Rows == nil {
		return out, nil
	}
	defer r.Rows.Close() // they are in memory
	var lines bytes.Buffer
	if err := c.s.Encoder.Encode(ctx, &lines, Format{Name: "ndjson"}, r.Rows, o.encode); err != nil {
		return nil, err
	}
	for line := range bytes.Lines(lines.Bytes()) {
		out = append(out, json.RawMessage(bytes.TrimSpace(line)))
	}
	return out, nil
}
