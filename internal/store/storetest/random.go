package storetest

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"leat/internal/bus"
	"leat/internal/store"
	"leat/internal/types"
)

// history is what the log has of two partitions and what a store made of it.
type history struct {
	env      Env
	t        *testing.T
	dir      string
	store    store.Store
	relation store.Relation
	// rows[p] counts the rows of partition p in the log; row i has the ID i, and all are of one entry each.
	rows    [2]int
	entries [2][]*bus.Entry
}

// random runs schedules of loads, some of them repeated or overlapping, maintenance, schema changes, rewinds, crashes and restarts: at any time
// queries see each row below Loaded once, and no other.
func random(t *testing.T, env Env) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{env: env, t: t, dir: t.TempDir(), relation: orders()}
		h.open()
		defer func() { must(t, h.store.Close()) }()
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"load", "load", "load", "load", "maintain", "evolve", "rewind", "crash", "restart"}).Draw(rt, "step") {
			case "load":
				h.load(rt)
			case "maintain":
				must(t, h.store.Maintain(t.Context()))
			case "evolve":
				h.evolve()
			case "rewind":
				h.rewind(rt)
			case "crash":
				durable := h.store.Durable()
				dir := env.Crash(t, h.dir)
				must(t, h.store.Close())
				h.dir = dir
				h.open()
				if !h.store.Loaded().Covers(durable) {
					rt.Fatalf("after a crash loaded %v, durable %v", h.store.Loaded(), durable)
				}
			case "restart":
				must(t, h.store.Close())
				h.open()
			}
			h.check(rt)
		}
	})
}

func (h *history) open() {
	h.store = h.env.Open(h.t, h.dir)
	must(h.t, h.store.Define(h.t.Context(), []store.Relation{h.relation}))
}

func (h *history) loaded(p int) int {
	for _, c := range h.store.Loaded().Cursors {
		if c.Partition == (types.PartitionID{Stream: h.relation.ID, Index: uint32(p)}) {
			return int(c.Next)
		}
	}
	return 0
}

// load appends to the log, and loads from any entry that begins no later than where the store is.
func (h *history) load(rt *rapid.T) {
	p := rapid.IntRange(0, 1).Draw(rt, "partition")
	for range rapid.IntRange(1, 3).Draw(rt, "entries") {
		n := rapid.IntRange(1, 50).Draw(rt, "rows")
		h.entries[p] = append(h.entries[p], Entry(types.Offset(h.rows[p]), now, h.batch(h.rows[p], n)))
		h.rows[p] += n
	}
	first := 0
	for i, e := range h.entries[p] {
		if int(e.First) <= h.loaded(p) {
			first = i
		}
	}
	first = rapid.IntRange(0, first).Draw(rt, "first")
	last := rapid.IntRange(first+1, len(h.entries[p])).Draw(rt, "last")
	must(h.t, h.store.Load(h.t.Context(), []store.Load{Load(h.relation.ID, uint32(p), h.entries[p][first:last]...)}))
}

// batch has the schema of now: NULL in columns that evolve added.
func (h *history) batch(from, n int) *types.Batch {
	rows := make([][]any, n)
	for i := range rows {
		rows[i] = make([]any, len(h.relation.Schema.Columns))
		rows[i][0], rows[i][1] = from+i, fmt.Sprint("item ", from+i)
	}
	return Batch(h.relation.Schema, rows...)
}

func (h *history) evolve() {
	s := h.relation.Schema.Clone()
	s.Version++
	name := fmt.Sprint("extra", len(s.Columns))
	s.Add(name, types.Of(types.Double), name)
	h.relation.Schema = s
	must(h.t, h.store.Define(h.t.Context(), []store.Relation{h.relation}))
}

// rewind lets the log forget its last entry of a partition.
func (h *history) rewind(rt *rapid.T) {
	p := rapid.IntRange(0, 1).Draw(rt, "partition")
	n := len(h.entries[p])
	if n == 0 {
		return
	}
	h.rows[p] = int(h.entries[p][n-1].First)
	h.entries[p] = h.entries[p][:n-1]
	must(h.t, h.store.Rewind(h.t.Context(), []types.Cursor{{Partition: types.PartitionID{Stream: h.relation.ID, Index: uint32(p)}, Next: types.Offset(h.rows[p])}}))
}

func (h *history) check(rt *rapid.T) {
	if !h.store.Loaded().Covers(h.store.Durable()) {
		rt.Fatalf("durable %v, loaded only %v", h.store.Durable(), h.store.Loaded())
	}
	got := Query(h.t, h.store, `SELECT coalesce(sum(n), 0), coalesce(bool_and(n = d AND least = 0 AND greatest = n - 1 AND same), true) FROM (
		SELECT count(*) AS n, count(DISTINCT id) AS d, min(id) AS least, max(id) AS greatest, bool_and(id = _leat_offset AND item = 'item ' || id) AS same
		FROM "orders$leat" GROUP BY _leat_partition)`)
	if want := fmt.Sprintf("%d|true", h.loaded(0)+h.loaded(1)); got != want {
		rt.Fatalf("rows %s, want %s; loaded %v", got, want, h.store.Loaded())
	}
}
