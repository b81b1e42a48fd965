package duck

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/types"
)

// Parser turns SELECTs into DuckDB's AST as JSON and back, on a private in-memory database that plans and runs nothing of
// the user's. Its methods may be called from any goroutine.
type Parser struct{ db *DB }

// NewParser opens a parser. Close it when done.
func NewParser() (*Parser, error) {
	db, err := Open("", Options{Threads: 1, MemoryLimit: 128 << 20})
	if err != nil {
		return nil, err
	}
	return &Parser{db}, nil
}

// Close waits for calls under way and frees the database.
func (p *Parser) Close() { p.db.Close() }

// SerializeSQL returns the AST of one or several SELECTs as json_serialize_sql prints it. Text that doesn't parse is types.SyntaxError
// with its place; a statement other than SELECT is types.NotAllowed. DESCRIBE, SHOW, SUMMARIZE and several statements pass: the caller
// looks for them in the AST.
func (p *Parser) SerializeSQL(ctx context.Context, text string) (string, error) {
	out, err := p.text(ctx, "SELECT json_serialize_sql($1::VARCHAR)::VARCHAR", text)
	if err != nil {
		return "", err
	}
	var failure struct {
		Error    bool   `json:"error"`
		Type     string `json:"error_type"`
		Message  string `json:"error_message"`
		Position string `json:"position"`
	}
	if err := json.Unmarshal([]byte(out), &failure); err != nil {
		return "", types.Errorf(types.Internal, "json_serialize_sql answered no JSON: %w", err)
	}
	if !failure.Error {
		return out, nil
	}
	if failure.Type == "not implemented" {
		return "", types.Errorf(types.NotAllowed, "only SELECT may run here")
	}
	e := types.Errorf(types.SyntaxError, "%s", firstLine(failure.Message))
	if off, err := strconv.Atoi(failure.Position); err == nil {
		e.Line, e.Column = types.Place(text, off)
	}
	return "", e
}

// DeserializeSQL returns the text of an AST that SerializeSQL made, perhaps rewritten.
func (p *Parser) DeserializeSQL(ctx context.Context, ast string) (string, error) {
	return p.text(ctx, "SELECT json_deserialize_sql($1::JSON)", ast)
}

func (p *Parser) text(ctx context.Context, sql, arg string) (string, error) {
	c, err := p.db.Reader(ctx)
	if err != nil {
		return "", err
	}
	defer p.db.Release(c)
	return c.text(ctx, sql, arg)
}

// text runs a SELECT of one text and returns it.
func (c *Conn) text(ctx context.Context, sql, arg string) (string, error) {
	r, err := c.Query(ctx, sql, map[string]any{"1": arg}, 1)
	if err != nil {
		return "", err
	}
	defer r.Close()
	rec, err := r.Next(ctx)
	if err != nil {
		return "", err
	}
	if rec == nil || rec.NumRows() != 1 || rec.Column(0).IsNull(0) {
		return "", types.Errorf(types.Internal, "DuckDB answered nothing to %s", sql)
	}
	// A copy: the record's memory is DuckDB's.
	return string([]byte(rec.Column(0).(*array.String).Value(0))), nil
}
