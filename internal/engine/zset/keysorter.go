package zset

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// KeySorter sorts encoded keys, so that state is read and written from one end to the other. The zero value is ready; it is reused from step
// to step by one goroutine.
type KeySorter struct {
	order, spare []KeyAt
	// keys and ends are those at hand: key i ends at ends[i], where the next begins.
	keys []byte
	ends []int
}

// KeyAt is the place of a key among those that were given.
type KeyAt struct {
	// prefix are 8 bytes of the key as a number, which decide most comparisons.
	prefix uint64
	// Index is the key's position.
	Index int32
}

// fewKeys are sorted by comparing them.
const fewKeys = 48

// Sort returns the keys' positions in the order of the keys, valid until the next call. Key i is keys[ends[i-1]:ends[i]].
func (s *KeySorter) Sort(keys []byte, ends []int) []KeyAt {
	n := len(ends)
	if cap(s.order) < n {
		s.order, s.spare = make([]KeyAt, n, n+n/4), make([]KeyAt, n+n/4)
	}
	s.order, s.keys, s.ends = s.order[:n], keys, ends
	for i := range s.order {
		s.order[i].Index = int32(i)
	}
	s.part(s.order, 0)
	s.keys, s.ends = nil, nil
	return s.order
}

// Rest gives back what sorting more than n keys took.
func (s *KeySorter) Rest(n int) {
	if cap(s.order) > n {
		s.order, s.spare = nil, nil
	}
}

func (s *KeySorter) key(i int32) []byte {
	from := 0
	if i > 0 {
		from = s.ends[i-1]
	}
	return s.keys[from:s.ends[i]]
}

// part sorts keys whose first depth bytes are the same.
func (s *KeySorter) part(part []KeyAt, depth int) {
	if len(part) < 2 {
		return
	}
	depth, shortest, longest := s.common(part, depth)
	sorted, last := true, uint64(0)
	differ, first := uint64(0), prefixAt(s.key(part[0].Index), depth)
	for i := range part {
		p := prefixAt(s.key(part[i].Index), depth)
		part[i].prefix = p
		sorted = sorted && p >= last
		last, differ = p, differ|(p^first)
	}
	switch {
	case len(part) < fewKeys || differ == 0:
		slices.SortFunc(part, s.compare)
		return
	case !sorted:
		s.radix(part, differ)
	}
	if longest <= depth+8 || shortest < depth+8 {
		// Of keys that end here, those that are alike are one, or one but for zeros at the end.
		s.ties(part, func(run []KeyAt) { slices.SortFunc(run, s.compare) })
		return
	}
	s.ties(part, func(run []KeyAt) { s.part(run, depth+8) })
}

// ties calls sort with each run of more than one key with the same prefix.
func (s *KeySorter) ties(part []KeyAt, sort func(run []KeyAt)) {
	for i := 0; i < len(part); {
		j := i + 1
		for j < len(part) && part[j].prefix == part[i].prefix {
			j++
		}
		if j > i+1 {
			sort(part[i:j])
		}
		i = j
	}
}

func (s *KeySorter) compare(a, b KeyAt) int {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix)
	}
	return bytes.Compare(s.key(a.Index), s.key(b.Index))
}

// common returns up to where all keys are the same, and the lengths of the shortest and the longest.
func (s *KeySorter) common(part []KeyAt, depth int) (same, shortest, longest int) {
	first := s.key(part[0].Index)
	same, shortest = len(first), len(first)
	for _, p := range part {
		k := s.key(p.Index)
		shortest, longest = min(shortest, len(k)), max(longest, len(k))
		same = min(same, len(k))
		if !bytes.Equal(k[depth:same], first[depth:same]) {
			for i := depth; ; i++ {
				if k[i] != first[i] {
					same = i
					break
				}
			}
		}
	}
	return same, shortest, longest
}

// radix sorts by the bytes of the prefix in which differ has a bit, the last first.
func (s *KeySorter) radix(part []KeyAt, differ uint64) {
	from, to := part, s.spare[:len(part)]
	for shift := 0; shift < 64; shift += 8 {
		if differ>>shift&0xff == 0 {
			continue
		}
		var at [256]int32
		for i := range from {
			at[byte(from[i].prefix>>shift)]++
		}
		sum := int32(0)
		for b, n := range at {
			at[b] = sum
			sum += n
		}
		for _, p := range from {
			b := byte(p.prefix >> shift)
			to[at[b]] = p
			at[b]++
		}
		from, to = to, from
	}
	if &from[0] != &part[0] {
		copy(part, from)
	}
}

// prefixAt reads 8 bytes of p, big endian, filled with 0 behind its end.
func prefixAt(p []byte, at int) uint64 {
	if len(p) >= at+8 {
		return binary.BigEndian.Uint64(p[at:])
	}
	var b [8]byte
	if len(p) > at {
		copy(b[:], p[at:])
	}
	return binary.BigEndian.Uint64(b[:])
}
