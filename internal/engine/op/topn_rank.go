package op

import (
	"bytes"

	"leat/internal/sql/plan"
)

// run is the head of a partition's ranking: its entries in order, with distinct keys.
type run struct {
	entries []ranked
	// total is the sum of weights.
	total int64
	// peers is the number of distinct orders.
	peers int64
}

// ranked is a row (its suffix is buf[from:to], the order's part ends at order) with its weight and first rank.
type ranked struct {
	from, order, to int
	w, rank         int64
}

// item is an output row: the suffix of a row, its number (0 where it isn't asked for), its weight.
type item struct {
	from, to int
	number   int64
	w        int64
}

func (r *run) reset() { r.entries, r.total, r.peers = r.entries[:0], 0, 0 }

// push appends the row whose suffix is buf[from:], and reports whether more may be pushed. A row behind the end is not taken.
func (t *topN) push(r *run, from int, w int64) bool {
	e := ranked{from: from, to: len(t.buf), w: w}
	switch t.cfg.Ranking {
	case plan.RowNumber:
		e.rank = r.total + 1
	default:
		e.order = t.orderEnd(from)
		if n := len(r.entries); n > 0 && bytes.Equal(t.buf[r.entries[n-1].from:r.entries[n-1].order], t.buf[from:e.order]) {
			e.rank = r.entries[n-1].rank
			break
		}
		r.peers++
		if e.rank = r.peers; t.cfg.Ranking == plan.Rank {
			e.rank = r.total + 1
		}
	}
	if e.rank > t.end {
		t.buf = t.buf[:from]
		return false
	}
	r.entries = append(r.entries, e)
	r.total += w
	return t.cfg.Ranking != plan.RowNumber || r.total < t.end
}

// orderEnd returns where the order's part of the suffix buf[from:] ends.
func (t *topN) orderEnd(from int) int {
	return len(t.buf) - len(t.suffix.Skip(t.buf[from:], t.ordered))
}

// full reports whether no row behind the last one of r can be kept.
func (t *topN) full(r *run) bool {
	if len(r.entries) == 0 {
		return false
	}
	if t.cfg.Ranking == plan.DenseRank {
		return r.entries[len(r.entries)-1].rank >= t.end
	}
	return r.total >= t.end
}

// behind reports whether a row with that suffix leaves the ranking r as it is.
func (t *topN) behind(r *run, suffix []byte) bool {
	if !t.full(r) {
		return false
	}
	last := r.entries[len(r.entries)-1]
	if t.cfg.Ranking == plan.RowNumber {
		// One with the last key adds to its weight or takes from it: that may matter.
		return bytes.Compare(suffix, t.buf[last.from:last.to]) > 0
	}
	order := suffix[:len(suffix)-len(t.suffix.Skip(suffix, t.ordered))]
	return bytes.Compare(order, t.buf[last.from:last.order]) > 0
}

// items are the output rows of a ranking, by suffix and number.
func (t *topN) items(dst []item, r *run) []item {
	for _, e := range r.entries {
		if t.cfg.Ranking != plan.RowNumber {
			if e.rank > t.cfg.Offset {
				dst = append(dst, t.item(e, e.rank, e.w))
			}
			continue
		}
		first, last := max(e.rank, t.cfg.Offset+1), min(e.rank+e.w-1, t.end)
		switch {
		case first > last:
		case !t.cfg.Number:
			dst = append(dst, t.item(e, 0, last-first+1))
		default:
			for n := first; n <= last; n++ {
				dst = append(dst, t.item(e, n, 1))
			}
		}
	}
	return dst
}

func (t *topN) item(e ranked, number, w int64) item {
	if !t.cfg.Number {
		number = 0
	}
	return item{e.from, e.to, number, w}
}

// diff emits what makes is of was.
func (t *topN) diff() {
	t.old, t.new = t.items(t.old[:0], &t.was), t.items(t.new[:0], &t.is)
	i, j := 0, 0
	for i < len(t.old) || j < len(t.new) {
		c := 0
		switch {
		case i == len(t.old):
			c = 1
		case j == len(t.new):
			c = -1
		default:
			c = t.compare(&t.old[i], &t.new[j])
		}
		switch {
		case c < 0:
			t.emit(&t.old[i], -t.old[i].w)
			i++
		case c > 0:
			t.emit(&t.new[j], t.new[j].w)
			j++
		default:
			if d := t.new[j].w - t.old[i].w; d != 0 {
				t.emit(&t.new[j], d)
			}
			i, j = i+1, j+1
		}
	}
}

func (t *topN) compare(a, b *item) int {
	if a.from != b.from {
		if c := bytes.Compare(t.buf[a.from:a.to], t.buf[b.from:b.to]); c != 0 {
			return c
		}
	}
	switch {
	case a.number < b.number:
		return -1
	case a.number > b.number:
		return 1
	}
	return 0
}

func (t *topN) emit(e *item, w int64) {
	prefix := t.prefix
	if len(t.partBy) == 0 {
		prefix = nil
	}
	t.partition.Decode(prefix, t.out, 0)
	t.suffix.Decode(t.buf[e.from:e.to], t.out, len(t.partBy))
	if t.cfg.Number {
		t.out.AppendInt64(len(t.partBy)+len(t.suffixBy), e.number)
	}
	t.out.EndRow(w)
}
