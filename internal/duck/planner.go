package duck

import (
	"context"
	"encoding/json"
	"strings"

	"leat/internal/types"
)

// Planner binds SELECTs to typed relations that have no rows and returns DuckDB's bound, unoptimised plan, on a private in-memory
// database. Its methods may be called from any goroutine; plans are made one after the other.
//
// Planning executes the constants of a query: the caller has let sql/guard check the text.
type Planner struct{ db *DB }

// NewPlanner opens a planner. Close it when done.
func NewPlanner() (*Planner, error) {
	// One at a time: two transactions cannot both make a table of one name.
	db, err := Open("", Options{Threads: 1, Readers: 1, MemoryLimit: 128 << 20, Schema: "public"})
	if err != nil {
		return nil, err
	}
	return &Planner{db}, nil
}

// Close waits for calls under way and frees the database.
func (p *Planner) Close() { p.db.Close() }

// Plan returns what json_serialize_plan prints for sql, one SELECT over tables: columns by name, bare or behind a schema and a dot. Faults
// of sql are coded and have their place: types.SyntaxError, UnknownRelation, UnknownColumn and UnknownFunction with candidates as a
// hint, TypeMismatch.
func (p *Planner) Plan(ctx context.Context, tables map[string][]types.Column, sql string) (string, error) {
	c, err := p.db.Reader(ctx)
	if err != nil {
		return "", err
	}
	defer p.db.Release(c)
	// The tables live in a transaction that is rolled back, so that calls don't see each other's.
	if err := c.Exec(ctx, "BEGIN"); err != nil {
		return "", err
	}
	defer c.rollback(ctx)
	if len(tables) > 0 {
		if err := c.Exec(ctx, definitions(tables)); err != nil {
			return "", types.Errorf(types.Internal, "defining the relations of a query to plan: %w", err)
		}
	}
	out, err := c.text(ctx, "SELECT json_serialize_plan($1::VARCHAR)::VARCHAR", sql)
	if err != nil {
		return "", err
	}
	return out, planError(sql, out)
}

// rollback ends the transaction even where ctx is over.
func (c *Conn) rollback(ctx context.Context) {
	if err := c.Exec(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
		// DuckDB has rolled back by itself after some errors.
		return
	}
}

func definitions(tables map[string][]types.Column) string {
	var b strings.Builder
	schemas := map[string]bool{}
	for name, columns := range tables {
		if schema, bare, ok := strings.Cut(name, "."); ok {
			if !schemas[schema] {
				schemas[schema] = true
				b.WriteString("CREATE SCHEMA " + types.QuoteIdent(schema) + ";")
			}
			name = types.QuoteIdent(schema) + "." + types.QuoteIdent(bare)
		} else {
			name = types.QuoteIdent(name)
		}
		b.WriteString("CREATE TABLE " + name + "(")
		for i, c := range columns {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(types.QuoteIdent(c.Name) + " " + c.Type.String())
		}
		b.WriteString(");")
	}
	return b.String()
}

// planError reads the failure that json_serialize_plan answers as JSON.
func planError(sql, out string) error {
	// The answer starts with its verdict, so that a plan isn't read twice.
	if strings.HasPrefix(out, `{"error":false`) {
		return nil
	}
	var failure struct {
		Error bool   `json:"error"`
		Type  string `json:"error_type"`
		Text  string `json:"error_message"`
		duckError
	}
	if err := json.Unmarshal([]byte(out), &failure); err != nil {
		return types.Errorf(types.Internal, "json_serialize_plan answered no JSON: %w", err)
	}
	if !failure.Error {
		return nil
	}
	d := failure.duckError
	d.Message = failure.Text
	// Here DuckDB writes its kinds of errors in lower case.
	for kind := range codes {
		if strings.EqualFold(kind, failure.Type) {
			d.Type = kind
			break
		}
	}
	return d.coded(sql)
}
