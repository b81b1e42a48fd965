package push

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// Nothing bears an id before the snapshot is complete, however long it takes.
func TestNoIDBeforeTheSnapshotIsComplete(t *testing.T) {
	world(t, Config{}, func(t *testing.T, h *Hub, r *relation) {
		for i := range int64(40) {
			r.put(bag{row{i, i / 39, "x"}: 1})
		}
		r.slow = 10 * time.Second
		s := r.subscribe(t, h, Options{Filter: NewFilter([]Match{{1, int64Vec(1)}}), Idle: 15 * time.Second})
		defer s.Close()
		idle := 0
		for {
			r.change(seeded(t), 0) // the position moves
			e, err := s.Next(background)
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == Idle {
				idle++
				continue
			}
			if e.Kind != Snapshot || !e.Last && e.ID != "" {
				t.Fatalf("%+v", e)
			}
			if e.Last {
				break
			}
		}
		if idle == 0 {
			t.Error("the silence was not broken")
		}
	})
}

// A wait that is interrupted loses no page.
func TestInterruptedSnapshots(t *testing.T) {
	world(t, Config{}, func(t *testing.T, h *Hub, r *relation) {
		big := strings.Repeat("x", smallPage)
		for i := range int64(30) {
			r.put(bag{row{i, 0, big}: 1})
		}
		for range maxPages {
			h.pages <- struct{}{} // others' pages
		}
		s := r.subscribe(t, h, Options{})
		defer s.Close()
		short, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		if _, err := s.Next(short); !types.HasCode(err, types.Timeout) {
			t.Fatalf("a page without room: %v", err)
		}
		rows := next(t, s, Snapshot).Rows.Rows() // after a while it goes on nevertheless
		for range maxPages {
			<-h.pages
		}
		for {
			e := next(t, s, Snapshot)
			if rows += e.Rows.Rows(); zset.Size(e.Rows) > 2*pageBytes {
				t.Errorf("a page of %d bytes", zset.Size(e.Rows))
			}
			if e.Last {
				break
			}
		}
		if rows != 30 {
			t.Errorf("%d rows", rows)
		}
		s.Close()
		if n := len(h.pages); n != 0 {
			t.Errorf("%d pages are still held", n)
		}
	})
}

func TestSetsOfColumnsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, r := New(Config{}), newRelation(true)
		wide := Shape{}
		for i := range 7 {
			wide.Columns = append(wide.Columns, types.Column{Name: fmt.Sprint(i), Type: types.Of(types.BigInt)})
		}
		var all []*Subscriber
		var err error
		n := 0
		for ; err == nil && n <= maxShapes; n++ {
			var matches []Match
			for c := range 7 {
				if n>>c&1 == 1 {
					matches = append(matches, Match{c, int64Vec(1)})
				}
			}
			var s *Subscriber
			if s, err = h.Subscribe("relation", wide, func() Source { return r }, Options{Filter: NewFilter(matches), NoSnapshot: true}); err == nil {
				all = append(all, s)
			}
		}
		if n != maxShapes+1 || !types.HasCode(err, types.TooManyRequests) {
			t.Errorf("%d sets: %v", n, err)
		}
		for _, s := range all {
			s.Close()
		}
		h.Stop()
		<-h.Left()
		h.wg.Wait()
		if r.open.Load() != 0 {
			t.Error("a version is kept")
		}
	})
}
