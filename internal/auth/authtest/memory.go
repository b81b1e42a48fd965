// Package authtest has what tests of authentication need: a store in memory, and JWTs.
package authtest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"leat/internal/catalog"
)

// Memory is an auth.Store in memory. The zero value is empty. It may be used from any goroutine.
type Memory struct {
	mu      sync.Mutex
	tokens  map[string]*catalog.Token  // guarded by mu
	issuers map[string]*catalog.Issuer // guarded by mu
}

// Token is part of auth.Store.
func (m *Memory) Token(id string) *catalog.Token {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tokens[id]
}

// HasTokens is part of auth.Store.
func (m *Memory) HasTokens() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.tokens) > 0
}

// Tokens is part of auth.Store.
func (m *Memory) Tokens() []*catalog.Token {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.tokens))
}

// Issuers is part of auth.Store.
func (m *Memory) Issuers() []*catalog.Issuer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.issuers), func(a, b *catalog.Issuer) int { return strings.Compare(a.Name, b.Name) })
}

// PutToken is part of auth.Store.
func (m *Memory) PutToken(_ context.Context, t catalog.Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tokens == nil {
		m.tokens = map[string]*catalog.Token{}
	}
	m.tokens[t.ID] = &t
	return nil
}

// DeleteToken is part of auth.Store.
func (m *Memory) DeleteToken(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.tokens, id)
	return nil
}

// PutIssuer is part of auth.Store.
func (m *Memory) PutIssuer(_ context.Context, i catalog.Issuer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.issuers == nil {
		m.issuers = map[string]*catalog.Issuer{}
	}
	m.issuers[i.Name] = &i
	return nil
}

// DeleteIssuer is part of auth.Store.
func (m *Memory) DeleteIssuer(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.issuers, name)
	return nil
}
