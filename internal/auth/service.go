package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"leat/internal/catalog"
	"leat/internal/types"
)

// Bounds of what a token may carry and of how many there may be.
const (
	maxScopes    = 200
	maxNameBytes = 200
	maxTokens    = 10_000
	// maxCached is how many principals of tokens and JWTs are kept, by hash; the least recently used one is verified again. About 20 MiB.
	maxCached = 20_000
)

// Service authenticates requests and manages tokens and issuers. A revoked token is refused at once: what it keeps of a token holds only
// while the store has the same one. It may be used from any goroutine.
type Service struct {
	store    Store
	required bool
	now      func() time.Time
	fetch    Fetch
	cache    *lru.Cache[[32]byte, cached]

	// mu makes "count, then change" of Create and Revoke one step.
	mu sync.Mutex

	failures atomic.Uint64 // authentications that were refused
	verified atomic.Uint64 // JWTs whose signature was checked

	ringSet atomic.Pointer[ringSet]
	ringsMu sync.Mutex // held by who makes the next ringSet
}

// cached is a principal with what it rests on: a token, or an issuer with its keys.
type cached struct {
	principal Principal
	token     *catalog.Token
	jwt       jwtKey
}

// NewService makes a Service. With required set, requests without a token are refused even while there is no token:
// what listens beyond loopback must set it.
func NewService(store Store, required bool) *Service {
	cache, err := lru.New[[32]byte, cached](maxCached)
	if err != nil {
		panic("BUG: the cache of principals: " + err.Error())
	}
	return &Service{store: store, required: required, now: time.Now, cache: cache}
}

// WithFetch sets how published keys are fetched and returns s. Without it issuers can't have a JWKS. Call it before s is used.
func (s *Service) WithFetch(f Fetch) *Service {
	s.fetch = f
	return s
}

// Run fetches published keys again from time to time, until ctx ends. Keys that can't be fetched stay as they were.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(refreshApart)
	defer tick.Stop()
	for {
		for _, ring := range s.rings().byIssuer {
			if set := ring.set.Load(); ring.issuer.JWKSURL != "" {
				apart := refreshEvery
				if set == nil {
					apart = refreshApart
				}
				_ = ring.refresh(ctx, apart) // the ring keeps why it failed, for GET /v1/issuers
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Required reports whether requests need a token: always where the server listens beyond loopback, else once one exists.
func (s *Service) Required() bool { return s.required || s.store.HasTokens() }

// Authenticate turns the text of a token or JWT, "" for none, into the principal to act as.
// The error is types.Unauthenticated; a typo, an unknown token and a missing one differ in their messages. A JWT that lacks a claim which
// filters or parameters need is types.PermissionDenied, one whose keys can't be had now types.Unavailable.
func (s *Service) Authenticate(text string) (Principal, error) {
	p, err := s.authenticate(text)
	if err != nil && text != "" {
		s.failures.Add(1)
	}
	return p, err
}

// Metrics are what a Service has counted since its start.
type Metrics struct {
	// Failures are credentials that were refused, Verified JWTs that were not cached, Cached the credentials that are.
	Failures, Verified uint64
	Cached             int
}

// Metrics returns what has been counted.
func (s *Service) Metrics() Metrics {
	return Metrics{Failures: s.failures.Load(), Verified: s.verified.Load(), Cached: s.cache.Len()}
}

func (s *Service) authenticate(text string) (Principal, error) {
	if text == "" {
		if s.Required() {
			return Principal{}, types.Errorf(types.Unauthenticated, "this server needs a token").
				WithHint("send Authorization: Bearer <token>; an admin makes one with POST /v1/tokens")
		}
		return Local, nil
	}
	if !strings.HasPrefix(text, tokenPrefix) && LooksLikeJWT(text) {
		return s.authenticateJWT(text)
	}
	if len(text) != tokenLen {
		_, err := Parse(text) // tells what is wrong
		return Principal{}, err
	}
	hash := sha256.Sum256([]byte(text))
	if e, ok := s.cache.Get(hash); ok && e.token != nil && s.store.Token(e.token.ID) == e.token {
		return e.principal, nil
	}
	t, err := Parse(text)
	if err != nil {
		return Principal{}, err
	}
	stored := s.store.Token(t.ID)
	var want [32]byte
	if stored != nil {
		want = stored.Hash
	}
	if !t.matches(want) || stored == nil {
		return Principal{}, types.Errorf(types.Unauthenticated, "the token %s is unknown or was revoked", t)
	}
	p, err := principalOf(stored)
	if err != nil {
		return Principal{}, err
	}
	s.cache.Add(hash, cached{principal: p, token: stored})
	return p, nil
}

// Principal is who the token of that ID acts as, for protocols that prove the secret themselves by Verifier; JWTs are no such tokens.
func (s *Service) Principal(id string) (Principal, error) {
	stored := s.store.Token(id)
	if stored == nil {
		return Principal{}, types.Errorf(types.Unauthenticated, "the token %.40q is unknown or was revoked", id)
	}
	return principalOf(stored)
}

// Verifier is the SCRAM-SHA-256 verifier of a token as PostgreSQL writes it; ok is false where there is no such token.
func (s *Service) Verifier(id string) (verifier string, ok bool) {
	stored := s.store.Token(id)
	if stored == nil {
		return "", false
	}
	return stored.SCRAM, true
}

// principalOf reads a stored token.
func principalOf(t *catalog.Token) (Principal, error) {
	p := Principal{ID: t.ID, Scopes: make([]Scope, 0, len(t.Scopes)), Limits: Limits(t.Limits)}
	for _, text := range t.Scopes {
		scope, err := ParseScope(text)
		if err != nil {
			return Principal{}, types.Errorf(types.Corrupt, "stored token %s: %w", t.ID, err)
		}
		p.Scopes = append(p.Scopes, scope)
	}
	var err error
	value := func(raw json.RawMessage) (v any) {
		dec := json.NewDecoder(strings.NewReader(string(raw)))
		dec.UseNumber()
		err = cmp.Or(err, dec.Decode(&v))
		return v
	}
	if len(t.Params) > 0 {
		p.Params = make(map[string]any, len(t.Params))
		for name, raw := range t.Params {
			p.Params[name] = value(raw)
		}
	}
	if t.Filters != nil {
		p.Filters = make(map[string]Filter, len(t.Filters))
		for relation, columns := range t.Filters {
			f := make(Filter, 0, len(columns))
			for column, raw := range columns {
				f = append(f, Match{column, value(raw)})
			}
			slices.SortFunc(f, func(a, b Match) int { return cmp.Compare(a.Column, b.Column) })
			p.Filters[relation] = f
		}
	}
	if err != nil {
		return Principal{}, types.Errorf(types.Corrupt, "stored token %s: %w", t.ID, err)
	}
	p.dataKey = computeDataKey(p)
	return p, nil
}
