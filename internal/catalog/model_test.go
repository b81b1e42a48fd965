package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"leat/internal/types"
)

// entry is what the model knows of an object.
type entry struct {
	name      string
	version   int
	kind      Kind
	dependsOn []types.ObjectID
}

// model is the catalog as a map, changed by the same random steps.
type model struct {
	objects map[types.ObjectID]entry
	tokens  map[string]string
	version uint64
	last    types.ObjectID // the greatest ID given
}

func (m *model) clone() *model {
	return &model{maps.Clone(m.objects), maps.Clone(m.tokens), m.version, m.last}
}

func (m *model) named(name string) types.ObjectID {
	for id, e := range m.objects {
		if e.name == name {
			return id
		}
	}
	return 0
}

var someNames = []string{"a", "b", "c", "d", "e"}

// step does one random thing to the transaction and to the model; before is the model without the transaction.
func (m *model) step(t *rapid.T, tx *Tx, before *model) {
	ids := slices.Sorted(maps.Keys(m.objects))
	name := rapid.SampledFrom(someNames).Draw(t, "name")
	pick := func() types.ObjectID { return rapid.SampledFrom(ids).Draw(t, "id") }
	what := rapid.SampledFrom([]string{"stream", "view", "rename", "delete", "token", "drop token"}).Draw(t, "what")
	if len(ids) == 0 && (what == "view" || what == "rename" || what == "delete") {
		what = "stream"
	}
	var err error
	var want types.Code
	switch what {
	case "stream", "view":
		id, o := tx.NewID(), (*Object)(nil)
		if id <= m.last {
			t.Fatalf("ID %d after %d", id, m.last)
		}
		m.last = id
		if o = stream(id, name); what == "view" {
			o = view(id, name, pick())
		}
		err = tx.Put(o)
		if want = types.AlreadyExists; m.named(name) == 0 {
			want, m.objects[id] = "", entry{name, 1, o.Kind, o.DependsOn}
		}
	case "rename":
		id := pick()
		o := *tx.Get(id)
		o.Name = name
		err = tx.Put(&o)
		if other := m.named(name); other != 0 && other != id {
			want = types.AlreadyExists
			break
		}
		e := m.objects[id]
		e.name = name
		if old, ok := before.objects[id]; ok {
			e.version = old.version + 1
		}
		m.objects[id] = e
	case "delete":
		id := pick()
		err = tx.Delete(id)
		delete(m.objects, id)
	case "token":
		err = tx.PutToken(&Token{ID: name, Name: what})
		m.tokens[name] = what
	case "drop token":
		err = tx.DeleteToken(name)
		if _, ok := m.tokens[name]; !ok {
			want = types.NotFound
		}
		delete(m.tokens, name)
	}
	if (err != nil || want != "") && !types.HasCode(err, want) {
		t.Fatalf("%s %s: %v, want %q", what, name, err, want)
	}
}

// dangling reports whether an object reads another that is gone.
func (m *model) dangling() bool {
	for _, e := range m.objects {
		for _, id := range e.dependsOn {
			if _, ok := m.objects[id]; !ok {
				return true
			}
		}
	}
	return false
}

func (m *model) check(t *rapid.T, s *Snapshot) {
	if s.Version() != m.version || len(s.All()) != len(m.objects) || len(s.Tokens()) != len(m.tokens) {
		t.Fatalf("version %d with %d objects and %d tokens, want %d with %d and %d", s.Version(), len(s.All()), len(s.Tokens()), m.version, len(m.objects), len(m.tokens))
	}
	for id, e := range m.objects {
		o := s.ByID(id)
		if o == nil || s.ByName(e.name) != o || o.Version != e.version || o.Kind != e.kind || !slices.Equal(o.DependsOn, e.dependsOn) {
			t.Fatalf("object %d is %+v, want %+v", id, o, e)
		}
		for _, on := range e.dependsOn {
			if !slices.Contains(s.Dependents(on), o) {
				t.Fatalf("%q is no dependent of %d", e.name, on)
			}
		}
	}
	for id := range m.tokens {
		if s.Token(id) == nil {
			t.Fatalf("token %q is missing", id)
		}
	}
	if !slices.IsSortedFunc(s.All(), func(a, b *Object) int { return strings.Compare(a.Name, b.Name) }) {
		t.Fatal("All is not by name")
	}
}

var errGiveUp = errors.New("given up")

// TestModel does random transactions, some given up, some refused, and reopens the catalog now and then.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fs := vfs.NewMem()
		c := open(t, fs)
		defer func() { closed(t, c) }()
		m := &model{objects: map[types.ObjectID]entry{}, tokens: map[string]string{}, last: FirstUserID - 1}
		for range rapid.IntRange(1, 20).Draw(rt, "transactions") {
			after := m.clone()
			giveUp := rapid.IntRange(0, 9).Draw(rt, "give up") == 0
			base := c.Snapshot()
			_, err := c.Update(ctx, func(tx *Tx) error {
				for range rapid.IntRange(1, 6).Draw(rt, "steps") {
					after.step(rt, tx, m)
				}
				if giveUp {
					return errGiveUp
				}
				return nil
			})
			switch {
			case giveUp:
				if !errors.Is(err, errGiveUp) {
					rt.Fatal(err)
				}
			case after.dangling():
				if !types.HasCode(err, types.DependentObjects) && !types.HasCode(err, types.Internal) {
					rt.Fatalf("an object is left without what it reads: %v", err)
				}
			case err != nil:
				rt.Fatal(err)
			}
			if m.last = after.last; err == nil {
				if after.version = c.Snapshot().Version(); c.Snapshot() != base && after.version != base.Version()+1 {
					rt.Fatalf("version %d after %d", after.version, base.Version())
				}
				m = after
			}
			if rapid.IntRange(0, 4).Draw(rt, "reopen") == 0 {
				closed(t, c)
				c = open(t, fs)
				m.last = m.stored(c)
			}
			m.check(rt, c.Snapshot())
		}
	})
}

// stored is the greatest ID given before a reopening: those of transactions that were never committed are forgotten.
func (m *model) stored(c *Catalog) types.ObjectID {
	last := c.next - 1
	for id := range m.objects {
		if id > last {
			panic(fmt.Sprintf("object %d and the next ID is %d", id, c.next))
		}
	}
	return last
}
