package op

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// keyOrder sorts encoded keys, so that state is read and written from one end to the other. It is reused from step to step.
type keyOrder struct {
	order, spare []keyPrefix
	// keys and ends are those at hand: key i ends at ends[i], where the next begins.
	keys []byte
	ends []int
}

// keyPrefix is a key with 8 bytes of it as a number, which decide most comparisons.
type keyPrefix struct {
	prefix uint64
	index  int32
}

// fewKeys are sorted by comparing them.
const fewKeys = 48

// sort returns the keys' positions in the order of the keys, valid until the next call. Key i is keys[ends[i-1]:ends[i]].
func (o *keyOrder) sort(keys []byte, ends []int) []keyPrefix {
	n := len(ends)
	if cap(o.order) < n {
		o.order, o.spare = make([]keyPrefix, n, n+n/4), make([]keyPrefix, n+n/4)
	}
	o.order, o.keys, o.ends = o.order[:n], keys, ends
	for i := range o.order {
		o.order[i].index = int32(i)
	}
	o.part(o.order, 0)
	o.keys, o.ends = nil, nil
	return o.order
}

// rest gives back what a large step took.
func (o *keyOrder) rest() {
	if cap(o.order) > roomy {
		o.order, o.spare = nil, nil
	}
}

func (o *keyOrder) key(i int32) []byte {
	from := 0
	if i > 0 {
		from = o.ends[i-1]
	}
	return o.keys[from:o.ends[i]]
}

// part sorts keys whose first depth bytes are the same.
func (o *keyOrder) part(part []keyPrefix, depth int) {
	if len(part) < 2 {
		return
	}
	depth, shortest, longest := o.common(part, depth)
	sorted, last := true, uint64(0)
	differ, first := uint64(0), prefixAt(o.key(part[0].index), depth)
	for i := range part {
		p := prefixAt(o.key(part[i].index), depth)
		part[i].prefix = p
		sorted = sorted && p >= last
		last, differ = p, differ|(p^first)
	}
	switch {
	case len(part) < fewKeys || differ == 0:
		slices.SortFunc(part, o.compare)
		return
	case !sorted:
		o.radix(part, differ)
	}
	if longest <= depth+8 || shortest < depth+8 {
		// Of keys that end here, those that are alike are one, or one but for zeros at the end.
		o.ties(part, func(run []keyPrefix) { slices.SortFunc(run, o.compare) })
		return
	}
	o.ties(part, func(run []keyPrefix) { o.part(run, depth+8) })
}

// ties calls sort with each run of more than one key with the same prefix.
func (o *keyOrder) ties(part []keyPrefix, sort func(run []keyPrefix)) {
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

func (o *keyOrder) compare(a, b keyPrefix) int {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix)
	}
	return bytes.Compare(o.key(a.index), o.key(b.index))
}

// common returns up to where all keys are the same, and the lengths of the shortest and the longest.
func (o *keyOrder) common(part []keyPrefix, depth int) (same, shortest, longest int) {
	first := o.key(part[0].index)
	same, shortest = len(first), len(first)
	for _, p := range part {
		k := o.key(p.index)
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
func (o *keyOrder) radix(part []keyPrefix, differ uint64) {
	from, to := part, o.spare[:len(part)]
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
