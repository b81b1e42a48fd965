package catalog

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"leat/internal/types"
)

// FirstUserID is the least ID of an object that a user made; lower ones are built in.
const FirstUserID types.ObjectID = 100

// Tx is one change of the catalog, seen by nobody until it is committed. It belongs to the function given to Update.
type Tx struct {
	base    *Snapshot
	next    types.ObjectID
	now     time.Time
	objects map[types.ObjectID]*Object
	names   map[string]*Object
	tokens  map[string]*Token
	issuers map[string]*Issuer
	fresh   map[types.ObjectID]bool
	changed map[types.ObjectID]bool // objects put or deleted
	touched map[string]bool         // tokens put or deleted
	renewed map[string]bool         // issuers put or deleted
}

func newTx(base *Snapshot, next types.ObjectID, now time.Time) *Tx {
	return &Tx{base: base, next: next, now: now, objects: maps.Clone(base.byID), names: maps.Clone(base.byName), tokens: maps.Clone(base.tokens), issuers: maps.Clone(base.issuers),
		fresh: map[types.ObjectID]bool{}, changed: map[types.ObjectID]bool{}, touched: map[string]bool{}, renewed: map[string]bool{}}
}

// Get returns the object of that ID as the transaction sees it, or nil.
func (t *Tx) Get(id types.ObjectID) *Object { return t.objects[id] }

// ByName returns the object of that name as the transaction sees it, or nil.
func (t *Tx) ByName(name string) *Object { return t.names[name] }

// NewID returns an ID that no object ever had.
func (t *Tx) NewID() types.ObjectID {
	id := t.next
	t.next++
	t.fresh[id] = true
	return id
}

// Put adds or replaces a definition. It stores a copy with the next Version (one more than before the transaction),
// UpdatedAt and, for a new one, CreatedAt; what the object points to must not change afterwards.
// A name in use is AlreadyExists; an ID that is neither current, from NewID nor built in is Internal.
func (t *Tx) Put(o *Object) error {
	if err := check(o); err != nil {
		return err
	}
	old, before := t.objects[o.ID], t.base.byID[o.ID]
	if o.ID >= FirstUserID {
		if err := types.CheckObjectName(o.Name); err != nil {
			return err
		}
		if old == nil && !t.fresh[o.ID] {
			return types.Errorf(types.Internal, "object ID %d was not made by NewID or is dropped", o.ID)
		}
	}
	if other := t.names[o.Name]; other != nil && other.ID != o.ID {
		return types.Errorf(types.AlreadyExists, "%s %q already exists", other.Kind, o.Name).
			WithHint("choose another name, or drop it first: DROP %s %s", strings.ToUpper(string(other.Kind)), types.QuoteIdent(o.Name))
	}
	if old != nil && old.Kind != o.Kind {
		return types.Errorf(types.InvalidArgument, "%s %q cannot become a %s", old.Kind, old.Name, o.Kind)
	}
	c := *o
	c.Version, c.UpdatedAt = 1, t.now
	if before != nil {
		c.Version, c.CreatedAt = before.Version+1, before.CreatedAt
	} else {
		c.CreatedAt = t.now
	}
	if old != nil {
		delete(t.names, old.Name)
	}
	t.objects[c.ID], t.names[c.Name], t.changed[c.ID] = &c, &c, true
	return nil
}

// Delete removes a definition. The commit fails with DependentObjects if others that stay read it.
func (t *Tx) Delete(id types.ObjectID) error {
	o := t.objects[id]
	if o == nil {
		return types.Errorf(types.NotFound, "there is no object with ID %d", id)
	}
	delete(t.objects, id)
	delete(t.names, o.Name)
	delete(t.fresh, id)
	t.changed[id] = true
	return nil
}

// PutToken adds or replaces a token.
func (t *Tx) PutToken(k *Token) error {
	if k.ID == "" {
		return types.Errorf(types.InvalidArgument, "a token needs an ID")
	}
	c := *k
	t.tokens[k.ID], t.touched[k.ID] = &c, true
	return nil
}

// DeleteToken removes a token, or fails with NotFound.
func (t *Tx) DeleteToken(id string) error {
	if t.tokens[id] == nil {
		return types.Errorf(types.NotFound, "there is no token %q", id)
	}
	delete(t.tokens, id)
	t.touched[id] = true
	return nil
}

// PutIssuer adds or replaces an issuer of JWTs.
func (t *Tx) PutIssuer(i *Issuer) error {
	if i.Name == "" {
		return types.Errorf(types.InvalidArgument, "an issuer needs a name")
	}
	c := *i
	t.issuers[i.Name], t.renewed[i.Name] = &c, true
	return nil
}

// DeleteIssuer removes an issuer, or fails with NotFound.
func (t *Tx) DeleteIssuer(name string) error {
	if t.issuers[name] == nil {
		return types.Errorf(types.NotFound, "there is no issuer %.80q", name)
	}
	delete(t.issuers, name)
	t.renewed[name] = true
	return nil
}

// Tokens returns every token by ID as the transaction sees it.
func (t *Tx) Tokens() []*Token { return (&Snapshot{tokens: t.tokens}).Tokens() }

// finish checks what only the whole transaction can tell and returns the state after it.
func (t *Tx) finish() (*Snapshot, error) {
	s := newSnapshot(t.base.version+1, t.objects, t.tokens, t.issuers)
	for _, o := range s.sorted {
		for _, id := range o.DependsOn {
			if t.objects[id] == nil && t.base.byID[id] == nil {
				return nil, types.Errorf(types.Internal, "%s %q depends on object %d, which does not exist", o.Kind, o.Name, id)
			}
		}
	}
	for _, gone := range t.base.sorted {
		if users := s.dependents[gone.ID]; t.objects[gone.ID] == nil && len(users) > 0 {
			return nil, dependentsError(gone, users)
		}
	}
	return s, nil
}

func dependentsError(o *Object, users []*Object) error {
	var names, drops []string
	for _, u := range users {
		names = append(names, fmt.Sprintf("%s %q", u.Kind, u.Name))
		drops = append(drops, "DROP "+strings.ToUpper(string(u.Kind))+" "+types.QuoteIdent(u.Name)+";")
	}
	return types.Errorf(types.DependentObjects, "%s %q is used by %s", o.Kind, o.Name, strings.Join(names, ", ")).
		WithHint("drop them in the same script: %s", strings.Join(drops, " "))
}
