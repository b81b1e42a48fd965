package push

import (
	"context"
	"time"

	"leat/internal/engine/zset"
)

// Bounds of pages of snapshots.
const (
	// pageRows is how many rows one has at most, and pageBytes about how many bytes: fewer rows are
	// looked at for the next one where they are large. firstPage is how many rows are looked at first, since nobody knows how large they are.
	pageRows  = 1000
	firstPage = 100
	pageBytes = 256 << 10
	// maxPages is how many pages of more than smallPage bytes are on their way to subscribers at a time: the next one waits, but no longer than
	// pageWait, so that readers who keep their pages for long don't keep others from theirs.
	maxPages  = 256
	smallPage = 16 << 10
	pageWait  = 2 * time.Second
)

// snapshot is a reading of a version, page by page.
type snapshot struct {
	version Version
	seq     uint64
	from    []byte
	// limit is how many rows are looked at for the next page.
	limit int
	// scanned says that nothing follows rest, whose row was told used times.
	scanned bool
	rest    *zset.Batch
	row     int
	used    int64
	// told counts rows.
	told int64
}

// freePage says that the last page was taken.
func (s *Subscriber) freePage() {
	if s.holds {
		s.holds = false
		<-s.feed.hub.pages
	}
}

// nextPage looks for the next page; an event tells of idleness where that takes long.
func (s *Subscriber) nextPage(ctx context.Context) (*Event, error) {
	for s.ready == nil {
		e, err := s.page()
		if err != nil {
			return nil, err
		}
		s.ready = e
		switch {
		case e != nil:
		case ctx.Err() != nil:
			return nil, interrupted(ctx)
		case s.Idle > 0 && s.feed.hub.Now().Sub(s.at) >= s.Idle:
			return IdleEvent(), nil
		}
	}
	if e := s.ready; e.Rows == nil || zset.Size(e.Rows) <= smallPage {
		s.ready = nil
		return e, nil
	}
	timer := time.NewTimer(pageWait)
	defer timer.Stop()
	select {
	case s.feed.hub.pages <- struct{}{}:
		s.holds = true
	case <-timer.C:
	case <-ctx.Done():
		return nil, interrupted(ctx)
	}
	e := s.ready
	s.ready = nil
	return e, nil
}

func (s *Subscriber) endSnapshot() {
	if s.snapshot != nil {
		s.snapshot.version.Release()
		s.snapshot = nil
	}
}

// page returns the next page; nil where nothing was found yet.
func (s *Subscriber) page() (*Event, error) {
	p := s.snapshot
	if p.rest == nil && !p.scanned {
		p.rest, p.from = p.version.Scan(&s.Filter, p.from, p.limit)
		p.row, p.used, p.scanned = 0, 0, p.from == nil
		if n := p.rest.Rows(); n > 0 {
			p.limit = int(min(pageRows, max(1, pageBytes*int64(n)/zset.Size(p.rest))))
		} else {
			p.limit = min(pageRows, 2*p.limit)
		}
	}
	rows, n := p.take()
	if p.told += n; p.told > s.Limit {
		return nil, s.tooLarge()
	}
	last := p.scanned && p.rest == nil
	if rows == nil && !last {
		return nil, nil
	}
	e := &Event{Kind: Snapshot, Shape: s.feed.shape, Rows: rows, Last: last, Mark: p.version.Mark()}
	if last {
		e.ID = s.feed.id(s.group, p.seq, e.Mark)
		s.endSnapshot()
	}
	return e, nil
}

// take returns the next rows of rest, and how many they are, counted by their weights: those of heavy rows are told in parts.
func (p *snapshot) take() (*zset.Batch, int64) {
	b := p.rest
	if b.Rows() == 0 {
		p.rest = nil
		return nil, 0
	}
	if b.W == nil {
		p.rest = nil
		return b, int64(b.N)
	}
	var sel []int32
	var ws []int64
	n := int64(0)
	for p.row < b.N && n < pageRows {
		w := min(b.W[p.row]-p.used, pageRows-n)
		if w > 0 {
			sel, ws, n = append(sel, int32(p.row)), append(ws, w), n+w
		}
		if p.used += w; p.used >= b.W[p.row] {
			p.row, p.used = p.row+1, 0
		}
	}
	if p.row == b.N {
		p.rest = nil
	}
	out := zset.GatherBatch(b, sel)
	if out != nil {
		out.W = ws
	}
	return out, n
}
