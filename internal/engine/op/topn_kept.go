package op

import (
	"bytes"
	"encoding/binary"
	"slices"

	"leat/internal/engine/zset"
)

// maxKept is up to how many rows a partition keeps in one value.
const maxKept = 16

// turnKept takes rows of b into the partition in prefix, whose kept rows are one value: weight, length and suffix of each, in order.
func (t *topN) turnKept(b *zset.Batch, touched []int32) {
	t.loadKept()
	t.is.entries, t.is.total = append(t.is.entries[:0], t.was.entries...), t.was.total
	changed := false
	for _, row := range touched {
		if w := b.Weight(int(row)); w > 0 && t.insertKept(int(row), w) {
			changed = true
		}
	}
	if !changed {
		return
	}
	rank := int64(1)
	t.key = t.key[:0]
	for i := range t.is.entries {
		e := &t.is.entries[i]
		e.rank = rank
		rank += e.w
		t.key = binary.AppendUvarint(t.key, uint64(e.w))
		t.key = binary.AppendUvarint(t.key, uint64(e.to-e.from))
		t.key = append(t.key, t.buf[e.from:e.to]...)
	}
	t.table.Put(t.prefix, t.key)
	t.diff()
}

// loadKept reads the partition's kept rows.
func (t *topN) loadKept() {
	t.was.reset()
	value, ok := t.table.Get(t.prefix)
	if !ok {
		return
	}
	t.buf = append(t.buf, value...)
	for rest := t.buf; len(rest) > 0; {
		var w, n uint64
		w, rest = readUvarint(rest)
		n, rest = readUvarint(rest)
		from := len(t.buf) - len(rest)
		t.was.entries = append(t.was.entries, ranked{from: from, to: from + int(n), w: int64(w), rank: t.was.total + 1})
		t.was.total += int64(w)
		rest = rest[n:]
	}
}

// insertKept puts a row into the ranking is, and reports whether that changed.
func (t *topN) insertKept(row int, w int64) bool {
	r, from := &t.is, len(t.buf)
	full := r.total >= t.end
	var last []byte
	if full {
		e := r.entries[len(r.entries)-1]
		last = t.buf[e.from:e.to]
	}
	for i, v := range t.suffixCols {
		t.buf = t.suffix.AppendCol(t.buf, i, v, row)
		if full && i < t.ordered && i == t.ordered-1 && bytes.Compare(t.buf[from:], last[:min(len(last), len(t.buf)-from)]) > 0 {
			t.buf = t.buf[:from]
			return false
		}
	}
	suffix := t.buf[from:]
	if full && bytes.Compare(suffix, last) >= 0 {
		t.buf = t.buf[:from]
		return false
	}
	at, found := slices.BinarySearchFunc(r.entries, suffix, func(e ranked, key []byte) int { return bytes.Compare(t.buf[e.from:e.to], key) })
	if found {
		r.entries[at].w += w
	} else {
		r.entries = slices.Insert(r.entries, at, ranked{from: from, to: len(t.buf), w: w})
	}
	r.total += w
	for n := len(r.entries) - 1; r.total-r.entries[n].w >= t.end; n-- {
		r.total -= r.entries[n].w
		r.entries = r.entries[:n]
	}
	return true
}
