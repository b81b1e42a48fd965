package app

import (
	"context"
	"strings"
	"sync"
	"time"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/duck"
	"leat/internal/pgwire/pgcatalog"
	"leat/internal/query"
	"leat/internal/types"
)

// pgCatalog answers PostgreSQL's clients who ask what exists, on a database apart from the store, which is opened when the first of them asks.
type pgCatalog struct {
	*pgcatalog.Catalog
	mu   sync.Mutex // guards meta
	meta *duck.Meta
}

// newPGCatalog makes the catalog. Close it after the last session.
func (s *server) newPGCatalog() *pgCatalog {
	c := &pgCatalog{}
	c.Catalog = pgcatalog.New(pgcatalog.Options{
		Open: c.open, Parser: s.parser, Definitions: s.catalog.Snapshot, Started: time.Now(), Version: Version(), Log: s.log,
		System: sync.OnceValue(s.systemRelations), Columns: s.plainColumns,
	})
	return c
}

func (c *pgCatalog) open() (pgcatalog.Engine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, err := duck.NewMeta()
	if err != nil {
		return nil, err
	}
	if c.meta != nil {
		c.meta.Close() // one that could not be filled
	}
	c.meta = m
	return m, nil
}

// Close frees the database. No statement may be under way.
func (c *pgCatalog) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.meta != nil {
		c.meta.Close()
		c.meta = nil
	}
}

// systemRelations are the tables of leat_system with their columns.
func (s *server) systemRelations() []pgcatalog.Relation {
	var out []pgcatalog.Relation
	for _, name := range s.control.System {
		columns, err := s.columnsOf(context.Background(), name)
		if err != nil {
			s.log.Warn("pg_catalog: the columns of a system table", "table", name, "error", err)
		}
		out = append(out, pgcatalog.Relation{Name: strings.TrimPrefix(name, "leat_system."), Columns: columns})
	}
	return out
}

// plainColumns are the columns of a plain view.
func (s *server) plainColumns(ctx context.Context, o *catalog.Object) ([]types.Column, error) {
	return s.columnsOf(ctx, types.QuoteIdent(o.Name))
}

func (s *server) columnsOf(ctx context.Context, relation string) ([]types.Column, error) {
	st, err := s.query.Prepare(ctx, query.Text{Principal: auth.Local, SQL: "SELECT * FROM " + relation})
	if err != nil {
		return nil, err
	}
	columns, _, err := s.query.Describe(ctx, st)
	return columns, err
}
