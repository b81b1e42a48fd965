package catalog

import (
	"cmp"
	"maps"
	"slices"

	"leat/internal/types"
)

// Snapshot is one immutable state of the catalog. Share it freely; never change an object of it.
type Snapshot struct {
	version    uint64
	byID       map[types.ObjectID]*Object
	byName     map[string]*Object
	sorted     []*Object
	dependents map[types.ObjectID][]*Object
	tokens     map[string]*Token
	issuers    map[string]*Issuer
	// issuerList are the issuers by name.
	issuerList []*Issuer
}

func newSnapshot(version uint64, byID map[types.ObjectID]*Object, tokens map[string]*Token, issuers map[string]*Issuer) *Snapshot {
	s := &Snapshot{version: version, byID: byID, tokens: tokens, issuers: issuers,
		byName: make(map[string]*Object, len(byID)), dependents: map[types.ObjectID][]*Object{}}
	s.sorted = slices.SortedFunc(maps.Values(byID), func(a, b *Object) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	for _, o := range s.sorted {
		s.byName[o.Name] = o
		for _, id := range o.DependsOn {
			s.dependents[id] = append(s.dependents[id], o)
		}
	}
	s.issuerList = slices.SortedFunc(maps.Values(issuers), func(a, b *Issuer) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// Version rises with every committed transaction.
func (s *Snapshot) Version() uint64 { return s.version }

// ByName returns the object of that name, or nil.
func (s *Snapshot) ByName(name string) *Object { return s.byName[name] }

// ByID returns the object of that ID, or nil.
func (s *Snapshot) ByID(id types.ObjectID) *Object { return s.byID[id] }

// All returns every object by name. The slice is the snapshot's: don't change it.
func (s *Snapshot) All() []*Object { return s.sorted }

// List returns the objects of a kind by name.
func (s *Snapshot) List(k Kind) []*Object {
	var out []*Object
	for _, o := range s.sorted {
		if o.Kind == k {
			out = append(out, o)
		}
	}
	return out
}

// Dependents returns the objects whose definitions read id, by name.
func (s *Snapshot) Dependents(id types.ObjectID) []*Object { return s.dependents[id] }

// Token returns the token of that ID, or nil: the same pointer in every snapshot until it is put again.
func (s *Snapshot) Token(id string) *Token { return s.tokens[id] }

// HasTokens reports whether there is any token.
func (s *Snapshot) HasTokens() bool { return len(s.tokens) > 0 }

// Issuers returns every issuer of JWTs by name. The slice is the snapshot's: don't change it. An issuer is the same pointer in every
// snapshot until it is put again.
func (s *Snapshot) Issuers() []*Issuer { return s.issuerList }

// Tokens returns every token by ID.
func (s *Snapshot) Tokens() []*Token {
	return slices.SortedFunc(maps.Values(s.tokens), func(a, b *Token) int { return cmp.Compare(a.ID, b.ID) })
}
