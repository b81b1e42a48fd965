package run

import (
	"bytes"
	"slices"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// Changes are sorted once there are so many, or so many bytes of them.
const (
	holdRows  = 1 << 20
	holdBytes = 32 << 20
)

// held keeps the rows to print until the end, in their order. A goroutine of its own sorts changes into runs, in which what a row gains and
// loses is one change or none; the table takes a run from one end to the other, in the engine's goroutine, as all of a store has one writer.
// A run that stays alone never gets there.
type held struct {
	table   state.Table
	types   []types.Type
	codec   *zset.KeyCodec
	changes chan *zset.Batch
	runs    chan *sortedRun
	// only is the first run as long as there is no other; taken says that there was one.
	only  *sortedRun
	taken bool
}

// sortedRun are rows by key, each once, with weights that are not 0. Key i ends at ends[i].
type sortedRun struct {
	keys    []byte
	ends    []int
	weights []int64
}

func newHeld(t state.Table, ts []types.Type, orders []zset.KeyOrder) *held {
	h := &held{table: t, types: ts, codec: zset.NewKeyCodec(ts, orders), changes: make(chan *zset.Batch, 2), runs: make(chan *sortedRun, 1)}
	go h.sort()
	return h
}

// add takes the change of a step.
func (h *held) add(b *zset.Batch) {
	for {
		select {
		case h.changes <- b:
			return
		case r := <-h.runs:
			h.take(r)
		}
	}
}

// end waits for the last run; with drop nobody wants the rows any more.
func (h *held) end(drop bool) {
	close(h.changes)
	for r := range h.runs {
		if !drop {
			h.take(r)
		}
	}
}

func (h *held) take(r *sortedRun) {
	if !h.taken {
		h.only, h.taken = r, true
		return
	}
	add := func(key []byte, w int64) bool {
		h.table.Add(key, w)
		return true
	}
	if h.only != nil {
		h.only.each(add)
		h.only = nil
	}
	r.each(add)
}

// each calls visit with all rows in order until it returns false; end comes before.
func (h *held) each(visit func(key []byte, w int64) bool) {
	if h.only != nil {
		h.only.each(visit)
		return
	}
	for it := h.table.Scan(nil, nil); it.Next(); {
		if !visit(it.Key(), state.WeightOf(it.Value())) {
			it.Close()
			return
		}
	}
}

func (r *sortedRun) each(visit func(key []byte, w int64) bool) {
	from := 0
	for i, to := range r.ends {
		if !visit(r.keys[from:to], r.weights[i]) {
			return
		}
		from = to
	}
}

// sort makes runs until there are no more changes.
func (h *held) sort() {
	defer close(h.runs)
	var r sortedRun
	var sorter zset.KeySorter
	for b := range h.changes {
		r.room(b.N)
		for i := range b.N {
			r.keys = h.codec.Append(r.keys, b.Cols, i)
			r.ends, r.weights = append(r.ends, len(r.keys)), append(r.weights, b.Weight(i))
		}
		if len(r.keys) > holdBytes || len(r.ends) > holdRows {
			h.runs <- r.sorted(&sorter)
			r = sortedRun{r.keys[:0], r.ends[:0], r.weights[:0]}
		}
	}
	if len(r.ends) > 0 {
		h.runs <- r.sorted(&sorter)
	}
}

// room makes place for n more rows, and at least doubles what there is: there may be many megabytes to copy.
func (r *sortedRun) room(n int) {
	have := len(r.ends)
	if have > 0 && (cap(r.ends) < have+n || cap(r.keys) < len(r.keys)/have*(have+n+1)) {
		r.keys = slices.Grow(r.keys, max(len(r.keys), len(r.keys)/have*n*2))
		r.ends, r.weights = slices.Grow(r.ends, max(n, have)), slices.Grow(r.weights, max(n, have))
	}
}

func (r *sortedRun) key(i int32) []byte {
	if i == 0 {
		return r.keys[:r.ends[0]]
	}
	return r.keys[r.ends[i-1]:r.ends[i]]
}

// sorted returns r's changes as a run.
func (r *sortedRun) sorted(sorter *zset.KeySorter) *sortedRun {
	out := &sortedRun{keys: make([]byte, 0, len(r.keys)), ends: make([]int, 0, len(r.ends)), weights: make([]int64, 0, len(r.ends))}
	order := sorter.Sort(r.keys, r.ends)
	for n := 0; n < len(order); {
		k, w := r.key(order[n].Index), int64(0)
		for ; n < len(order) && bytes.Equal(r.key(order[n].Index), k); n++ {
			w += r.weights[order[n].Index]
		}
		if w != 0 {
			out.keys = append(out.keys, k...)
			out.ends, out.weights = append(out.ends, len(out.keys)), append(out.weights, w)
		}
	}
	return out
}
