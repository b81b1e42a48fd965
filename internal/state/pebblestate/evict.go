package pebblestate

import (
	"maps"
	"slices"
)

// pressure brings the memory of the rows below the budget. Leaves that were not used since the clock last came by leave; a store that
// is not volatile keeps what is not committed.
func (s *Store) pressure() {
	now := s.memory()
	if now <= s.limit || s.Err() != nil {
		return
	}
	if s.e.o.Volatile && s.dirty > now/8 {
		if s.flush(s.meta, false) != nil {
			return
		}
	}
	goal := s.budget - s.budget/8
	ids := slices.Sorted(maps.Keys(s.tables))
	for turns := 0; now > goal && turns < 2*len(ids)+1; {
		t := s.tables[ids[s.hand%len(ids)]]
		freed, end := t.evict()
		if now -= freed; end {
			s.hand++
			turns++
		}
	}
	s.limit = max(s.budget, now+max(s.budget/16, 16*maxLeaf))
	for _, t := range s.tables {
		t.publish()
	}
}

// evict looks at the next leaves in the clock's way, those of one node. It returns how much memory it freed, and whether the table is at its end.
func (t *table) evict() (freed int64, end bool) {
	before := t.memory
	t.forget()
	t.at.seek(t.root, t.hand)
	t.ownPath()
	path := t.at.path
	n := path[len(path)-1].n
	absent := 0
	for i, l := range n.leaves {
		if l.used {
			l.used = false
			continue
		}
		if e := t.evicted(l); e != nil {
			t.count(l, -1)
			t.count(e, 1)
			n.leaves[i], l = e, e
		}
		if !l.complete && len(l.slots) == 0 {
			absent++
		}
	}
	t.hand = nil
	for d := len(path) - 2; d >= 0 && t.hand == nil; d-- {
		if s := path[d]; s.i < len(s.n.seps) {
			t.hand = s.n.seps[s.i]
		}
	}
	if absent == len(n.leaves) && absent > 1 && int64(t.leaves)*leafCost > t.s.budget/8 {
		for _, l := range n.leaves[1:] {
			t.count(l, -1)
		}
		t.count(n.leaves[0], -1)
		l := &leaf{epoch: t.epoch, gen: t.s.gen}
		t.count(l, 1)
		n.leaves, n.seps = []*leaf{l}, nil
		n.index()
	}
	t.forget()
	return before - t.memory, t.hand == nil
}

// evicted returns what takes the place of a leaf that leaves memory; nil if it has to stay, or takes next to nothing.
func (t *table) evicted(l *leaf) *leaf {
	e := &leaf{epoch: t.epoch, gen: t.s.gen, small: l.small || l.complete}
	if l.gen != t.s.gen {
		if !l.complete && len(l.slots) == 0 {
			return nil
		}
		return e
	}
	changes := 0
	for i := range l.slots {
		if l.kind(i) != clean {
			changes += rowSize(l.row(i))
		}
	}
	if changes > len(l.buf)/2 || !l.complete {
		return nil
	}
	p := packer{epoch: t.epoch, gen: l.gen, small: true, target: 1 << 30}
	for i := range l.slots {
		if k := l.kind(i); k != clean {
			key, value := l.row(i)
			if k == fresh {
				k = changed
			}
			p.add(key, value, k, changes)
		}
	}
	leaves, _ := p.done()
	return leaves[0]
}
