package auth

import (
	"context"

	"leat/internal/catalog"
)

// Store keeps tokens and issuers of JWTs durably; the catalog is one. Methods may be called from any goroutine. What they return is
// immutable, and the same pointer until it is put again.
type Store interface {
	// Token looks one up by its ID in constant time; nil if there is none.
	Token(id string) *catalog.Token
	// HasTokens reports in constant time whether there is any.
	HasTokens() bool
	// Tokens lists all in any order.
	Tokens() []*catalog.Token
	PutToken(ctx context.Context, t catalog.Token) error
	DeleteToken(ctx context.Context, id string) error
	// Issuers lists all by name, in constant time.
	Issuers() []*catalog.Issuer
	PutIssuer(ctx context.Context, i catalog.Issuer) error
	DeleteIssuer(ctx context.Context, name string) error
}

// InCatalog is the Store of the catalog. Looking a token up reads the current snapshot and takes no lock.
func InCatalog(c *catalog.Catalog) Store { return catalogStore{c} }

type catalogStore struct{ catalog *catalog.Catalog }

// Token is part of Store.
func (s catalogStore) Token(id string) *catalog.Token { return s.catalog.Snapshot().Token(id) }

// HasTokens is part of Store.
func (s catalogStore) HasTokens() bool { return s.catalog.Snapshot().HasTokens() }

// Tokens is part of Store.
func (s catalogStore) Tokens() []*catalog.Token { return s.catalog.Snapshot().Tokens() }

// Issuers is part of Store.
func (s catalogStore) Issuers() []*catalog.Issuer { return s.catalog.Snapshot().Issuers() }

// PutToken is part of Store.
func (s catalogStore) PutToken(ctx context.Context, t catalog.Token) error {
	return s.update(ctx, func(tx *catalog.Tx) error { return tx.PutToken(&t) })
}

// DeleteToken is part of Store.
func (s catalogStore) DeleteToken(ctx context.Context, id string) error {
	return s.update(ctx, func(tx *catalog.Tx) error { return tx.DeleteToken(id) })
}

// PutIssuer is part of Store.
func (s catalogStore) PutIssuer(ctx context.Context, i catalog.Issuer) error {
	return s.update(ctx, func(tx *catalog.Tx) error { return tx.PutIssuer(&i) })
}

// DeleteIssuer is part of Store.
func (s catalogStore) DeleteIssuer(ctx context.Context, name string) error {
	return s.update(ctx, func(tx *catalog.Tx) error { return tx.DeleteIssuer(name) })
}

func (s catalogStore) update(ctx context.Context, change func(*catalog.Tx) error) error {
	_, err := s.catalog.Update(ctx, change)
	return err
}
