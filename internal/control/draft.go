package control

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"leat/internal/catalog"
	"leat/internal/types"
)

// provisional is the first ID of objects that the catalog has not numbered yet.
const provisional types.ObjectID = 1 << 62

// draft is the catalog as it will be after a script: the objects of a snapshot and the changes on top.
// Objects are immutable; a change puts a new one. It is used by one goroutine and does no I/O.
type draft struct {
	now  time.Time
	base map[types.ObjectID]*catalog.Object
	// objects are the present ones by ID; new ones have IDs from provisional on until commit.
	objects map[types.ObjectID]*catalog.Object
	names   map[string]types.ObjectID
	next    types.ObjectID
	// removed are the objects that were dropped, those that the script itself made included.
	removed []*catalog.Object
	// system are the relations of schema leat_system by name with the schema; those that are not in the log have ID 0.
	system map[string]types.ObjectID
}

func newDraft(objects []*catalog.Object, now time.Time) *draft {
	d := &draft{now: now.UTC().Truncate(time.Microsecond), next: provisional, names: make(map[string]types.ObjectID, len(objects))}
	d.base = make(map[types.ObjectID]*catalog.Object, len(objects))
	for _, o := range objects {
		d.base[o.ID], d.names[o.Name] = o, o.ID
	}
	d.objects = maps.Clone(d.base)
	return d
}

// byName returns the object of that name, or nil.
func (d *draft) byName(name string) *catalog.Object { return d.objects[d.names[name]] }

// create puts a new object and gives it a provisional ID and version 1.
func (d *draft) create(o *catalog.Object) {
	o.ID, o.Version, o.CreatedAt, o.UpdatedAt = d.next, 1, d.now, d.now
	d.next++
	d.objects[o.ID], d.names[o.Name] = o, o.ID
}

// replace puts o, a changed copy of the present object with its ID, as its next version.
func (d *draft) replace(o *catalog.Object) {
	old := d.objects[o.ID]
	if before := d.base[o.ID]; before != nil {
		o.Version = before.Version + 1
	}
	o.UpdatedAt = d.now
	delete(d.names, old.Name)
	d.objects[o.ID], d.names[o.Name] = o, o.ID
}

func (d *draft) remove(o *catalog.Object) {
	delete(d.objects, o.ID)
	delete(d.names, o.Name)
	d.removed = append(d.removed, o)
}

// dependents returns the objects whose definitions read id, sorted by name.
func (d *draft) dependents(id types.ObjectID) []*catalog.Object {
	var out []*catalog.Object
	for _, o := range d.objects {
		if slices.Contains(o.DependsOn, id) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, byName)
	return out
}

// above returns everything that reads one of objects, directly or through views, and is not one of them; sorted by name.
func (d *draft) above(objects []*catalog.Object) []*catalog.Object {
	var out []*catalog.Object
	for queue := slices.Clone(objects); len(queue) > 0; queue = queue[1:] {
		for _, u := range d.dependents(queue[0].ID) {
			if !slices.Contains(out, u) && !slices.Contains(objects, u) {
				out, queue = append(out, u), append(queue, u)
			}
		}
	}
	slices.SortFunc(out, byName)
	return out
}

// reads reports whether from's definition reads id, directly or through views.
func (d *draft) reads(from *catalog.Object, id types.ObjectID) bool {
	return slices.ContainsFunc(from.DependsOn, func(dep types.ObjectID) bool {
		o := d.objects[dep]
		return dep == id || o != nil && d.reads(o, id)
	})
}

// change is the difference between a draft and its snapshot.
type change struct {
	// draft is where it comes from: the catalog as it will be.
	draft *draft
	// put are new and changed objects and drop those that are gone, both in dependency order.
	put, drop []*catalog.Object
	// redefine are unchanged views over what changed: the store must bind them again.
	redefine []*catalog.Object
	// before are the replaced objects, to undo.
	before map[types.ObjectID]*catalog.Object
}

func (c *change) empty() bool { return len(c.put) == 0 && len(c.drop) == 0 }

func (d *draft) change() *change {
	c := &change{draft: d, before: map[types.ObjectID]*catalog.Object{}}
	touched := map[types.ObjectID]bool{}
	for _, o := range ordered(slices.Collect(maps.Values(d.objects))) {
		before := d.base[o.ID]
		switch {
		case before != o:
			c.put = append(c.put, o)
			touched[o.ID] = true
			if before != nil {
				c.before[o.ID] = before
			}
		case slices.ContainsFunc(o.DependsOn, func(id types.ObjectID) bool { return touched[id] }):
			touched[o.ID] = true
			if o.Kind == catalog.ViewKind {
				c.redefine = append(c.redefine, o)
			}
		}
	}
	for _, o := range ordered(slices.Collect(maps.Values(d.base))) {
		if d.objects[o.ID] == nil {
			c.drop = append(c.drop, o)
		}
	}
	return c
}

// ordered sorts objects so that each comes after what it reads; ties go by ID.
func ordered(objects []*catalog.Object) []*catalog.Object {
	slices.SortFunc(objects, func(a, b *catalog.Object) int { return cmp.Compare(a.ID, b.ID) })
	byID := make(map[types.ObjectID]*catalog.Object, len(objects))
	for _, o := range objects {
		byID[o.ID] = o
	}
	out, done := make([]*catalog.Object, 0, len(objects)), make(map[types.ObjectID]bool, len(objects))
	var visit func(o *catalog.Object)
	visit = func(o *catalog.Object) {
		if o == nil || done[o.ID] {
			return
		}
		done[o.ID] = true
		for _, id := range o.DependsOn {
			visit(byID[id])
		}
		out = append(out, o)
	}
	for _, o := range objects {
		visit(o)
	}
	return out
}

func byName(a, b *catalog.Object) int { return cmp.Compare(a.Name, b.Name) }
