package api

import (
	"context"

	"leat/internal/types"
)

// rowKey reads the key from the path, or from the query where the path has none.
func (c *call) rowKey() (RowKey, error) {
	k := RowKey{Principal: c.principal, Table: c.r.PathValue("table"), Key: c.r.PathValue("key")}
	if k.Key != "" {
		return k, nil
	}
	k.Columns = c.columns()
	if len(k.Columns) == 0 {
		return k, types.Errorf(types.InvalidArgument, "the row's key is missing").
			WithHint("write /rows/<key>, percent-encoded, or /rows?column=value for each column of the key")
	}
	return k, nil
}

// getRow answers with one JSON object: the ndjson form of a result of one row.
func (s *server) getRow(c *call) error {
	key := RowKey{Principal: c.principal, Table: c.r.PathValue("table"), Key: c.r.PathValue("key")}
	o, err := c.resultOptions("ndjson")
	if err != nil {
		return err
	}
	ctx, cancel, err := c.deadline("", c.s.Limits.QueryTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	out, err := s.Queries.Row(ctx, key, o.Freshness)
	if err != nil {
		return err
	}
	return c.object(ctx, out, o, func() error { return noRow(key) })
}

func noRow(k RowKey) error {
	return types.Errorf(types.NotFound, "table %.80q has no row with that key", k.Table)
}

func (s *server) putRow(c *call) error {
	key, err := c.rowKey()
	if err != nil {
		return err
	}
	body, err := c.readBody()
	if err != nil {
		return err
	}
	return c.write(func(ctx context.Context) (types.Position, error) { return s.Tables.Put(ctx, key, body) })
}

func (s *server) deleteRow(c *call) error {
	key, err := c.rowKey()
	if err != nil {
		return err
	}
	return c.write(func(ctx context.Context) (types.Position, error) { return s.Tables.Delete(ctx, key) })
}

func (c *call) write(do func(context.Context) (types.Position, error)) error {
	ctx, cancel, err := c.deadline("", c.s.Limits.QueryTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	p, err := do(ctx)
	if err != nil {
		return err
	}
	c.position(p)
	return c.json(200, map[string]string{"position": p.Token()})
}
