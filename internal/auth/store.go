package auth

import (
	"context"

	"leat/internal/catalog"
)

// InCatalog is the Store of the catalog. Looking a token up reads the current snapshot and takes no lock.
func InCatalog(c *catalog.Catalog) Store { return catalogStore{c} }

type catalogStore struct{ catalog *catalog.Catalog }

// Token is part of Store.
func (s catalogStore) Token(id string) (catalog.Token, bool) {
	t := s.catalog.Snapshot().Token(id)
	if t == nil {
		return catalog.Token{}, false
	}
	return *t, true
}

// Tokens is part of Store.
func (s catalogStore) Tokens() []catalog.Token {
	kept := s.catalog.Snapshot().Tokens()
	out := make([]catalog.Token, len(kept))
	for i, t := range kept {
		out[i] = *t
	}
	return out
}

// PutToken is part of Store.
func (s catalogStore) PutToken(ctx context.Context, t catalog.Token) error {
	_, err := s.catalog.Update(ctx, func(tx *catalog.Tx) error { return tx.PutToken(&t) })
	return err
}

// DeleteToken is part of Store.
func (s catalogStore) DeleteToken(ctx context.Context, id string) error {
	_, err := s.catalog.Update(ctx, func(tx *catalog.Tx) error { return tx.DeleteToken(id) })
	return err
}
