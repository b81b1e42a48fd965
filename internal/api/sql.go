package api

import (
	"encoding/json"
	"strconv"

	"leat/internal/types"
)

// sqlBody is the JSON form of a script.
type sqlBody struct {
	SQL string `json:"sql"`
	// Params is an object for $name or an array for $1, $2, ...
	Params  json.RawMessage `json:"params"`
	Format  string          `json:"format"`
	Timeout string          `json:"timeout"`
	Limit   int             `json:"limit"`
}

func (s *server) postSQL(c *call) error {
	body, err := c.sqlBody()
	if err != nil {
		return err
	}
	return c.runSQL(body, false)
}

func (s *server) getSQL(c *call) error {
	return c.runSQL(sqlBody{SQL: c.query.Get("q")}, true)
}

// sqlBody reads SQL as text, or as JSON where the content type says so.
func (c *call) sqlBody() (sqlBody, error) {
	var body sqlBody
	t, err := c.mediaType()
	if err != nil {
		return body, err
	}
	switch t {
	case "application/json":
		err := c.readJSON(&body)
		return body, err
	case "", "text/plain", "application/sql", "application/x-www-form-urlencoded": // the last is what curl -d says
		b, err := c.readBody()
		body.SQL = string(b)
		return body, err
	}
	return body, types.Errorf(types.UnsupportedMedia, "content type %.100q is not SQL", t).
		WithHint(`send SQL as application/sql, or {"sql": ..., "params": ...} as application/json`)
}

func (c *call) runSQL(body sqlBody, readOnly bool) error {
	o, err := c.resultOptions(body.Format)
	if err != nil {
		return err
	}
	params, err := sqlParams(body.Params)
	if err != nil {
		return err
	}
	switch {
	case body.Limit < 0 || body.Limit > maxRows:
		return badParam("limit", "is %d; it can be 1 to %d", body.Limit, maxRows)
	case body.Limit > 0:
		o.limit = c.capRows(body.Limit)
	}
	ctx, cancel, err := c.deadline(body.Timeout, c.s.Limits.QueryTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	out, err := c.s.Queries.SQL(ctx, SQLRequest{
		Principal: c.principal, SQL: body.SQL, Params: params, ReadOnly: readOnly, Freshness: o.Freshness, Limit: o.limit,
	})
	if err != nil {
		return err
	}
	return c.answer(ctx, out, o)
}

// sqlParams reads an object, or an array whose elements are called "1", "2", ...
func sqlParams(raw json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if raw[0] == '[' {
		var list []any
		if err := decodeJSON(raw, &list); err != nil {
			return nil, err
		}
		out := make(map[string]any, len(list))
		for i, v := range list {
			out[strconv.Itoa(i+1)] = v
		}
		return out, nil
	}
	var out map[string]any
	if raw[0] != '{' {
		return nil, badParam("params", "is neither an object nor an array")
	}
	err := decodeJSON(raw, &out)
	return out, err
}
