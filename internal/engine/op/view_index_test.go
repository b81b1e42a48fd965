package op

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// indexed is a view with indexes that come and go, and all that is known of its rows.
type indexed struct {
	t     *testing.T
	r     *rand.Rand
	store *memstate.Store
	view  *View
	open  func(Tables) *View
	next  func(n int) *zset.Batch
	rows  func() []tuple
	// indexes are those of the view, kept those of the last commit that were built.
	indexes []Index
	kept    map[uint32]bool
}

func (v *indexed) table(id uint32) state.TableID { return state.TableID(100 + id) }

func (v *indexed) reopen() {
	v.store = v.store.Reopen()
	v.view = v.open(tablesOf(v.store))
	for _, ix := range v.indexes {
		if !v.kept[ix.ID] {
			v.store.Drop(v.table(ix.ID))
		}
		v.view.AddIndex(ix, v.store.Table(v.table(ix.ID)), v.kept[ix.ID])
	}
}

func (v *indexed) commit() {
	if err := v.store.Commit(nil, false); err != nil {
		v.t.Fatal(err)
	}
	v.kept = map[uint32]bool{}
	for _, ix := range v.indexes {
		v.kept[ix.ID] = v.view.Built(ix.ID)
	}
}

// alter adds or drops an index, or goes on with building one.
func (v *indexed) alter() {
	switch n := v.r.IntN(8); {
	case n == 0 && len(v.indexes) < 4:
		ix := Index{ID: 1 + v.r.Uint32N(1000)}
		if slices.ContainsFunc(v.indexes, func(o Index) bool { return o.ID == ix.ID }) {
			return
		}
		for range 1 + v.r.IntN(3) {
			if c := v.r.IntN(len(topTypes)); !slices.Contains(ix.Columns, c) {
				ix.Columns = append(ix.Columns, c)
			}
		}
		v.indexes = append(v.indexes, ix)
		v.view.AddIndex(ix, v.store.Table(v.table(ix.ID)), false)
	case n == 1 && len(v.indexes) > 0 && v.r.IntN(3) == 0:
		i := v.r.IntN(len(v.indexes))
		v.view.DropIndex(v.indexes[i].ID)
		v.store.Drop(v.table(v.indexes[i].ID))
		v.indexes = slices.Delete(v.indexes, i, i+1)
	default:
		v.view.Build(1 + v.r.IntN(5))
	}
}

func (v *indexed) check() {
	v.t.Helper()
	snap := v.view.Snapshot()
	defer snap.Close()
	rows := v.rows()
	orders := snap.Orders()
	if built := slices.DeleteFunc(slices.Clone(v.indexes), func(ix Index) bool { return !v.view.Built(ix.ID) }); len(orders) != 1+len(built) || orders[0].Index != 0 {
		v.t.Fatalf("orders %v, indexes %v", orders, built)
	}
	for i, o := range orders {
		v.checkRange(snap, i, Range{}, nil, rows)
		for range 4 {
			v.checkSome(snap, i, o, rows)
		}
	}
}

// checkSome asks for a prefix and bounds.
func (v *indexed) checkSome(snap *ViewSnapshot, order int, o ViewOrder, rows []tuple) {
	v.t.Helper()
	var r Range
	var terms []func(tuple) bool
	vec := func(c int) (*zset.Vec, any) {
		x := topValue(v.r, c)
		return boxBatch([]types.Type{topTypes[c]}, []tuple{{x}}, nil).Cols[0], x
	}
	n := v.r.IntN(len(o.Columns) + 1)
	for _, c := range o.Columns[:n] {
		b, x := vec(c)
		r.Prefix = append(r.Prefix, b)
		terms = append(terms, func(t tuple) bool { return compareValue(t[c], x, false, false) == 0 })
	}
	if n < len(o.Columns) {
		c := o.Columns[n]
		bound := func(side int) *Bound {
			b, x := vec(c)
			inclusive := v.r.IntN(2) == 0
			terms = append(terms, func(t tuple) bool {
				if t[c] == nil || x == nil {
					return false
				}
				d := side * compareValue(t[c], x, false, false)
				return d > 0 || d == 0 && inclusive
			})
			return &Bound{b, inclusive}
		}
		if v.r.IntN(2) == 0 {
			r.Lower = bound(1)
		}
		if v.r.IntN(2) == 0 {
			r.Upper = bound(-1)
		}
	}
	v.checkRange(snap, order, r, func(t tuple) bool {
		return !slices.ContainsFunc(terms, func(term func(tuple) bool) bool { return !term(t) })
	}, rows)
}

// checkRange compares a range with the rows that it should have, both ways.
func (v *indexed) checkRange(snap *ViewSnapshot, order int, r Range, has func(tuple) bool, rows []tuple) {
	v.t.Helper()
	want := multiset{}
	for _, row := range rows {
		if has == nil || has(row) {
			want.put(row, 1)
		}
	}
	columns := snap.Orders()[order].Columns
	what := fmt.Sprintf("order %v, %d columns of prefix, bounds %v %v", snap.Orders()[order], len(r.Prefix), r.Lower, r.Upper)
	up, got := v.pages(snap, order, r)
	if got.String() != want.String() {
		v.t.Fatalf("%s: got\n%swant\n%s", what, got, want)
	}
	for i := 1; i < len(up); i++ {
		for _, c := range columns {
			d := compareValue(up[i-1][c], up[i][c], false, false)
			if d > 0 {
				v.t.Fatalf("%s: %v before %v", what, up[i-1], up[i])
			}
			if d < 0 {
				break
			}
		}
	}
	r.Desc = true
	down, _ := v.pages(snap, order, r)
	slices.Reverse(down)
	if !slices.EqualFunc(up, down, func(a, b tuple) bool { return a.String() == b.String() }) {
		v.t.Fatalf("%s: up %v, down %v", what, up, down)
	}
}

// pages reads a range in pieces.
func (v *indexed) pages(snap *ViewSnapshot, order int, r Range) (rows []tuple, sum multiset) {
	v.t.Helper()
	sum = multiset{}
	r.Limit = v.r.IntN(6)
	for {
		b, next := snap.Range(order, r)
		if r.Limit > 0 && b.Rows() > r.Limit || next != nil && b.Rows() != r.Limit {
			v.t.Fatalf("a page of %d rows, limit %d", b.Rows(), r.Limit)
		}
		sum.add(b)
		for i := range b.Rows() {
			rows = append(rows, unbox(b, i))
		}
		if r.From = next; next == nil {
			return rows, sum
		}
	}
}

func TestIndexesEqualTheirView(t *testing.T) {
	for name, form := range map[string]func(r *rand.Rand, v *indexed){
		"key": func(r *rand.Rand, v *indexed) {
			key := [][]int{{0, 1}, {1, 0}}[r.IntN(2)]
			u := &upserts{r: r, live: map[string]tuple{}}
			v.open = func(t Tables) *View { return NewView(topTypes, key, t) }
			v.next = u.next
			v.rows = func() (out []tuple) {
				for _, row := range u.live {
					out = append(out, row)
				}
				return out
			}
		},
		"no key": func(r *rand.Rand, v *indexed) {
			s := &source{r: r, ts: topTypes, value: topValue}
			v.open = func(t Tables) *View { return NewView(topTypes, nil, t) }
			v.next, v.rows = s.next, func() []tuple { return s.live }
		},
		"log": func(r *rand.Rand, v *indexed) {
			s := &source{r: r, ts: topTypes, value: topValue, appendOnly: true}
			v.open = func(t Tables) *View { return NewViewLog(topTypes, t) }
			v.next, v.rows = s.next, func() []tuple { return s.live }
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := seeded(t)
			for range 8 {
				v := &indexed{t: t, r: r, store: memstate.New()}
				form(r, v)
				v.view = v.open(tablesOf(v.store))
				for range 25 {
					for range r.IntN(4) {
						v.alter()
					}
					if _, err := v.view.Apply(v.next(r.IntN(20))); err != nil {
						t.Fatal(err)
					}
					if r.IntN(4) == 0 {
						v.commit()
						v.reopen()
					}
					v.check()
				}
				for v.view.Build(100) {
				}
				v.check()
			}
		})
	}
}

// Values that SQL calls equal are one in an index, and the rows keep theirs.
func TestIndexOfEqualValues(t *testing.T) {
	ts := []types.Type{types.Of(types.Interval), bigint}
	month, days := zset.Interval{Months: 1}, zset.Interval{Days: 30}
	rows := []tuple{{string(month.Append(nil)), int64(1)}, {string(days.Append(nil)), int64(2)}, {nil, int64(3)}}
	for name, v := range map[string]*View{
		"key": NewView(ts, []int{1}, tablesOf(memstate.New())), "no key": NewView(ts, nil, tablesOf(memstate.New())), "log": NewViewLog(ts, tablesOf(memstate.New())),
	} {
		v.AddIndex(Index{ID: 7, Columns: []int{0}}, memstate.New().Table(1), false)
		v.Build(10)
		if _, err := v.Apply(boxBatch(ts, rows, nil)); err != nil {
			t.Fatal(err)
		}
		snap := v.Snapshot()
		asked := boxBatch(ts[:1], []tuple{{rows[1][0]}}, nil)
		got, _ := snap.Range(1, Range{Prefix: asked.Cols})
		if got.Rows() != 2 || unbox(got, 0).String() != rows[0].String() || unbox(got, 1).String() != rows[1].String() {
			t.Errorf("%s: 30 days are %v", name, got)
		}
		if got, _ := snap.Range(1, Range{Lower: &Bound{asked.Cols[0], true}}); got.Rows() != 2 {
			t.Errorf("%s: %d rows from 30 days on", name, got.Rows())
		}
		snap.Close()
	}
}
