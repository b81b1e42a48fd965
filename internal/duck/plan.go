package duck

import (
	"context"
	"encoding/json"

	ddb "github.com/duckdb/duckdb-go-bindings"

	"leat/internal/types"
)

// Plan is one operator of a physical plan as EXPLAIN (FORMAT json) tells it.
type Plan struct {
	Name string `json:"name"`
	// Info are the operator's details by DuckDB's own labels: strings, or lists of strings.
	Info     map[string]any `json:"extra_info"`
	Children []*Plan        `json:"children"`
}

// Explain plans one SELECT and doesn't run it.
func (c *Conn) Explain(ctx context.Context, sql string) (*Plan, error) {
	// A SELECT, and one only: whatever else would be planned with the prefix is refused first.
	s, err := c.prepare(ctx, sql)
	if err != nil {
		return nil, err
	}
	s.close()
	text, err := c.explainText(ctx, "EXPLAIN (FORMAT json) "+sql)
	if err != nil {
		return nil, err
	}
	var plans []*Plan
	if err := json.Unmarshal([]byte(text), &plans); err != nil || len(plans) != 1 {
		return nil, types.Errorf(types.Internal, "DuckDB's plan cannot be read: %w", err)
	}
	return plans[0], nil
}

// explainText is the second column of the one row that EXPLAIN answers.
func (c *Conn) explainText(ctx context.Context, sql string) (text string, err error) {
	var res ddb.Result
	defer ddb.DestroyResult(&res)
	if err := c.guarded(ctx, func() error {
		if ddb.Query(c.conn, sql, &res) == ddb.StateError {
			return parseError(sql, ddb.ResultError(&res), ddb.ResultErrorType(&res))
		}
		return nil
	}); err != nil {
		return "", err
	}
	chunk := ddb.FetchChunk(res)
	defer ddb.DestroyDataChunk(&chunk)
	if chunk.Ptr == nil || ddb.DataChunkGetSize(chunk) == 0 || ddb.DataChunkGetColumnCount(chunk) < 2 {
		return "", types.Errorf(types.Internal, "DuckDB's EXPLAIN answered nothing")
	}
	vector := ddb.DataChunkGetVector(chunk, 1)
	values := (*ddb.StringT)(ddb.VectorGetData(vector))
	return ddb.StringTData(values), nil
}
