package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"leat/internal/catalog"
	"leat/internal/types"
)

// TokenSpec is a token as an admin asks for it.
type TokenSpec struct {
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`
	// Params fix parameters of endpoints; Filters are relation or * -> column -> value, nil restricts no rows. Values are strings, numbers
	// (json.Number) and Booleans.
	Params  map[string]any            `json:"params"`
	Filters map[string]map[string]any `json:"filters"`
	Limits  LimitsSpec                `json:"limits"`
}

// Info is what may be shown of a token.
type Info struct {
	ID        string                                `json:"id"`
	Name      string                                `json:"name"`
	Scopes    []string                              `json:"scopes"`
	Params    map[string]json.RawMessage            `json:"params,omitempty"`
	Filters   map[string]map[string]json.RawMessage `json:"filters,omitzero"`
	Limits    *LimitsSpec                           `json:"limits,omitempty"`
	CreatedAt time.Time                             `json:"created_at"`
}

// Create makes a token with scopes alone.
func (s *Service) Create(ctx context.Context, name string, scopes []string) (Token, Info, error) {
	return s.CreateToken(ctx, TokenSpec{Name: name, Scopes: scopes})
}

// CreateToken makes a token, stores what verifies it and returns it in the clear for the only time.
func (s *Service) CreateToken(ctx context.Context, spec TokenSpec) (Token, Info, error) {
	stored, err := spec.stored()
	if err != nil {
		return Token{}, Info{}, err
	}
	t := Generate()
	scram, err := verifier(t.Reveal(), rand.Reader)
	if err != nil {
		return Token{}, Info{}, err
	}
	stored.ID, stored.Hash, stored.SCRAM, stored.CreatedAt = t.ID, t.Hash(), scram, s.now().UTC().Truncate(time.Microsecond)
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
	if err := s.store.PutToken(ctx, *stored); err != nil {
		return Token{}, Info{}, err
	}
	return t, info(stored), nil
}

// stored checks a spec, reports all of its faults at once and returns what is kept of it.
func (spec TokenSpec) stored() (*catalog.Token, error) {
	f := &faults{}
	f.when(len(spec.Name) > maxNameBytes || !utf8.ValidString(spec.Name), "name", "a token's name is UTF-8 of at most %d bytes", maxNameBytes)
	scopes, err := ParseScopes(spec.Scopes)
	f.add("scopes", err)
	t := &catalog.Token{Name: spec.Name}
	strong := false
	for _, s := range scopes {
		t.Scopes = append(t.Scopes, s.String())
		strong = strong || s.Action == Admin || s.Action == Create
	}
	f.when(strong && (spec.Filters != nil || len(spec.Params) > 0), "scopes", "a token with filters or fixed parameters can't have the scope admin or create")
	l, err := spec.Limits.limits()
	f.add("limits", err)
	t.Limits = l.stored()
	rules := len(spec.Params)
	for name := range spec.Params {
		f.add("params", checkParam(name))
	}
	if rules > 0 {
		t.Params = f.literals("params", spec.Params)
	}
	if spec.Filters != nil {
		t.Filters = make(map[string]map[string]json.RawMessage, len(spec.Filters))
	}
	for relation, columns := range spec.Filters {
		f.add("filters", checkRelation(relation))
		for column := range columns {
			f.add("filters."+relation, types.CheckColumnName(column))
		}
		rules += len(columns)
		t.Filters[relation] = f.literals("filters."+relation, columns)
	}
	f.when(rules > maxRules || len(spec.Filters) > maxRules, "filters", "params and filters have more than %d entries", maxRules)
	return t, f.err("the token can't be made")
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
// be open (loopback) and has no issuers, the very last token can go.
func (s *Service) Revoke(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.store.Token(id)
	if t == nil {
		return types.Errorf(types.NotFound, "no token has the id %.40q", id)
	}
	rest := slices.DeleteFunc(slices.Clone(s.store.Tokens()), func(o *catalog.Token) bool { return o.ID == id })
	needed := len(rest) > 0 || s.required || len(s.store.Issuers()) > 0
	if isAdmin(t) && needed && !slices.ContainsFunc(rest, isAdmin) {
		return types.Errorf(types.Conflict, "token %s is the last one with the scope admin", id).
			WithHint("create another admin token first")
	}
	return s.store.DeleteToken(ctx, id)
}

func isAdmin(t *catalog.Token) bool { return slices.Contains(t.Scopes, string(Admin)) }

func info(t *catalog.Token) Info {
	return Info{ID: t.ID, Name: t.Name, Scopes: slices.Clone(t.Scopes), Params: t.Params, Filters: t.Filters, Limits: Limits(t.Limits).spec(), CreatedAt: t.CreatedAt}
}
