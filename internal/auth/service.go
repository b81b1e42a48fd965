package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"leat/internal/catalog"
	"leat/internal/types"
)

// Bounds of what a token may carry and of how many there may be.
const (
	maxScopes    = 200
	maxNameBytes = 200
	maxTokens    = 10_000
)

// Store keeps tokens durably; the catalog is one. Methods may be called from any goroutine.
type Store interface {
	// Token looks one up by its ID in constant time.
	Token(id string) (catalog.Token, bool)
	// Tokens lists all in any order; the caller doesn't change the slice.
	Tokens() []catalog.Token
	PutToken(ctx context.Context, t catalog.Token) error
	DeleteToken(ctx context.Context, id string) error
}

// Service authenticates requests and manages tokens. It keeps no copy of them, so a revoked token is refused at once.
// It may be used from any goroutine.
type Service struct {
	store    Store
	required bool
	now      func() time.Time

	// mu makes "count, then change" of Create and Revoke one step.
	mu sync.Mutex
}

// NewService makes a Service. With required set, requests without a token are refused even while there is no token:
// what listens beyond loopback must set it.
func NewService(store Store, required bool) *Service {
	return &Service{store: store, required: required, now: time.Now}
}

// Required reports whether requests need a token: always where the server listens beyond loopback, else once one exists.
// It may list all tokens, so ask it only where the answer matters.
func (s *Service) Required() bool { return s.required || len(s.store.Tokens()) > 0 }

// Authenticate turns a token's text, "" for none, into the principal to act as.
// The error is types.Unauthenticated; a typo, an unknown token and a missing one differ in their messages.
func (s *Service) Authenticate(text string) (Principal, error) {
	if text == "" {
		if s.Required() {
			return Principal{}, types.Errorf(types.Unauthenticated, "this server needs a token").
				WithHint("send Authorization: Bearer <token>; an admin makes one with POST /v1/tokens")
		}
		return Local, nil
	}
	t, err := Parse(text)
	if err != nil {
		return Principal{}, err
	}
	stored, found := s.store.Token(t.ID)
	if !t.matches(stored.Hash) || !found {
		return Principal{}, types.Errorf(types.Unauthenticated, "the token %s is unknown or was revoked", t)
	}
	p := Principal{ID: stored.ID, Scopes: make([]Scope, 0, len(stored.Scopes))}
	for _, text := range stored.Scopes {
		scope, err := ParseScope(text)
		if err != nil {
			return Principal{}, types.Errorf(types.Corrupt, "stored token %s: %w", t, err)
		}
		p.Scopes = append(p.Scopes, scope)
	}
	return p, nil
}

// Info is what may be shown of a token.
type Info struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Scopes    []string  `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
}

// Create makes a token, stores what verifies it and returns it in the clear for the only time.
func (s *Service) Create(ctx context.Context, name string, scopes []string) (Token, Info, error) {
	if len(name) > maxNameBytes || !utf8.ValidString(name) {
		return Token{}, Info{}, types.Errorf(types.InvalidArgument, "a token's name is UTF-8 of at most %d bytes", maxNameBytes)
	}
	parsed, err := ParseScopes(scopes)
	if err != nil {
		return Token{}, Info{}, err
	}
	t := Generate()
	scram, err := verifier(t.Reveal(), rand.Reader)
	if err != nil {
		return Token{}, Info{}, err
	}
	stored := catalog.Token{ID: t.ID, Name: name, Hash: t.Hash(), SCRAM: scram, CreatedAt: s.now().UTC().Truncate(time.Microsecond)}
	for _, scope := range parsed {
		stored.Scopes = append(stored.Scopes, scope.String())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	existing := s.store.Tokens()
	switch {
	case len(existing) >= maxTokens:
		return Token{}, Info{}, types.Errorf(types.LimitExceeded, "there are %d tokens; the limit is %d", len(existing), maxTokens).
			WithHint("revoke some with DELETE /v1/tokens/{id}")
	case !isAdmin(stored) && !slices.ContainsFunc(existing, isAdmin):
		return Token{}, Info{}, types.Errorf(types.Conflict, "the first token must have the scope admin, else nobody could make or revoke others").
			WithHint(`create one with the scopes ["admin"] first`)
	}
	if err := s.store.PutToken(ctx, stored); err != nil {
		return Token{}, Info{}, err
	}
	return t, info(stored), nil
}

// List returns all tokens, oldest first.
func (s *Service) List() []Info {
	tokens := s.store.Tokens()
	out := make([]Info, len(tokens))
	for i, t := range tokens {
		out[i] = info(t)
	}
	slices.SortFunc(out, func(a, b Info) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Revoke forgets a token. It refuses the last admin token where that would lock everybody out; on a server that may
// be open (loopback), the very last token can go.
func (s *Service) Revoke(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, found := s.store.Token(id)
	if !found {
		return types.Errorf(types.NotFound, "no token has the id %.40q", id)
	}
	rest := slices.DeleteFunc(slices.Clone(s.store.Tokens()), func(o catalog.Token) bool { return o.ID == id })
	if isAdmin(t) && (len(rest) > 0 || s.required) && !slices.ContainsFunc(rest, isAdmin) {
		return types.Errorf(types.Conflict, "token %s is the last one with the scope admin", id).
			WithHint("create another admin token first")
	}
	return s.store.DeleteToken(ctx, id)
}

func isAdmin(t catalog.Token) bool { return slices.Contains(t.Scopes, string(Admin)) }

func info(t catalog.Token) Info {
	return Info{ID: t.ID, Name: t.Name, Scopes: slices.Clone(t.Scopes), CreatedAt: t.CreatedAt}
}
