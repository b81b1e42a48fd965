package push

import (
	"leat/internal/engine/zset"
)

// pageRows is how many rows one page of a snapshot has at most, and about how many are looked at for it.
const pageRows = 1000

// snapshot is a reading of a version, page by page.
type snapshot struct {
	version Version
	seq     uint64
	from    []byte
	// scanned says that nothing follows rest, whose first row was told used times.
	scanned bool
	rest    *zset.Batch
	row     int
	used    int64
	// told counts rows.
	told int64
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
		p.rest, p.from = p.version.Scan(&s.Filter, p.from, pageRows)
		p.row, p.used, p.scanned = 0, 0, p.from == nil
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
