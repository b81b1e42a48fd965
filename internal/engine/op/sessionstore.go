package op

import (
	"encoding/binary"
	"math"
	"slices"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/types"
)

// fewRows is up to which size the rows of a finished session are deleted one by one: a range to delete costs the store more than they do.
const fewRows = 64

// sessionStore is the state of session.
type sessionStore struct {
	// sessions is [keys][last time] -> first time (8 bytes, little endian), rows (uvarint), ID (uvarint).
	sessions state.Table
	// rows is [keys][time][row] -> weight.
	rows state.Table
	// byEnd is [last time][keys] -> nothing, to find what is final; nil without a watermark.
	byEnd state.Table
	freed int64
	// closed gets the IDs of the sessions that are freed; nil where sessions have none.
	closed *[]int64

	keys  *zset.KeyCodec
	nkeys int
	rest  *zset.RowCodec
	// Rows decode into columns keys, time, rest: layout are their types, place where each input column is among them.
	layout []types.Type
	place  []int
	// restCols are the columns (of in) that neither keys nor time give back.
	restCols []int

	timeCol        int
	time           []int64
	cols           []*zset.Vec
	low, high, val []byte
	gone           goneKeys
}

func newSessionStore(w *plan.Window, in []types.Type, watermark bool, tables Tables) sessionStore {
	s := sessionStore{nkeys: len(w.Keys), timeCol: w.Time, freed: math.MinInt64, place: make([]int, len(in))}
	s.sessions, s.rows = tables(), tables()
	if watermark {
		s.byEnd = tables()
	}
	s.layout = append(typesAt(w.Keys, in), in[w.Time])
	s.keys = zset.NewKeyCodec(s.layout, nil)
	for c, t := range in {
		k := slices.Index(w.Keys, c)
		switch {
		case c == w.Time:
			s.place[c] = len(w.Keys)
		case k >= 0 && exactKey(t):
			s.place[c] = k
		default:
			s.place[c] = len(w.Keys) + 1 + len(s.restCols)
			s.restCols = append(s.restCols, c)
		}
	}
	ts := typesAt(s.restCols, in)
	s.rest = zset.NewRowCodec(ts)
	s.layout = append(s.layout, ts...)
	s.cols = make([]*zset.Vec, len(s.restCols))
	return s
}

// exactKey reports whether grouping keeps values of this type as they are: -0.0 and 0.0, or a month and 30 days, are one key.
func exactKey(t types.Type) bool {
	switch t.Kind {
	case types.Float, types.Double, types.Interval, types.Struct, types.List, types.Map:
		return false
	}
	return true
}

// take says which batch add refers to.
func (s *sessionStore) take(b *zset.Batch) {
	for i, c := range s.restCols {
		s.cols[i] = b.Cols[c]
	}
	s.time = b.Cols[s.timeCol].I64
}

// span sets s.low and s.high to the bounds of times lo..hi of a key.
func (s *sessionStore) span(key []byte, lo, hi int64) {
	s.low = zset.AppendTime(append(s.low[:0], key...), lo)
	s.high = zset.AppendTime(append(s.high[:0], key...), hi+1)
}

// timeAt reads the time after an encoded key.
func timeAt(p []byte) int64 { return int64(binary.BigEndian.Uint64(p[1:]) ^ 1<<63) }

// load gives dst the sessions of a key that reach into lo..hi.
func (s *sessionStore) load(key []byte, lo, hi int64, dst *sessionSpans) {
	s.low = zset.AppendTime(append(s.low[:0], key...), lo)
	_, upper := state.Prefix(key, s.high)
	it := s.sessions.Scan(s.low, upper)
	for it.Next() {
		v := it.Value()
		start := int64(binary.LittleEndian.Uint64(v))
		if start > hi {
			it.Close()
			return
		}
		n, at := binary.Uvarint(v[8:])
		id, _ := binary.Uvarint(v[8+at:])
		dst.loaded(bounds{start, timeAt(it.Key()[len(key):]), int64(n), int64(id)})
	}
}

// move notes that the rows of a key at times lo..hi go from one session to another.
func (s *sessionStore) move(key []byte, lo, hi int64, from, to bounds, m *movedRows) {
	s.span(key, lo, hi)
	for it := s.rows.Scan(s.low, s.high); it.Next(); {
		rest := s.keys.Decode(it.Key(), m.rows, 0)
		s.rest.Decode(rest, m.rows, s.nkeys+1)
		m.rows.EndRow(1)
		m.weights = append(m.weights, state.WeightOf(it.Value()))
		m.from, m.to = append(m.from, from), append(m.to, to)
	}
}

// segments appends the sessions that the rows at times lo..hi of a key make.
func (s *sessionStore) segments(key []byte, lo, hi, gap int64, dst []bounds) []bounds {
	s.span(key, lo, hi)
	for it := s.rows.Scan(s.low, s.high); it.Next(); {
		t := timeAt(it.Key()[len(key):])
		if n := len(dst); n > 0 && t-dst[n-1].last <= gap {
			dst[n-1].last = t
			dst[n-1].rows++
			continue
		}
		dst = append(dst, bounds{start: t, last: t, rows: 1})
	}
	return dst
}

// add adds w to the weight of a row of the batch taken.
func (s *sessionStore) add(key []byte, row int, w int64) {
	s.low = zset.AppendTime(append(s.low[:0], key...), s.time[row])
	s.low = s.rest.Append(s.low, s.cols, row)
	s.rows.Add(s.low, w)
}

// put stores a session.
func (s *sessionStore) put(key []byte, b bounds) {
	s.low = zset.AppendTime(append(s.low[:0], key...), b.last)
	s.val = binary.LittleEndian.AppendUint64(s.val[:0], uint64(b.start))
	s.val = binary.AppendUvarint(s.val, uint64(b.rows))
	s.val = binary.AppendUvarint(s.val, uint64(b.id))
	s.sessions.Put(s.low, s.val)
	if s.byEnd != nil {
		s.low = append(zset.AppendTime(s.low[:0], b.last), key...)
		s.byEnd.Put(s.low, nil)
	}
}

// drop forgets a session, not its rows.
func (s *sessionStore) drop(key []byte, last int64) {
	s.low = zset.AppendTime(append(s.low[:0], key...), last)
	s.sessions.Delete(s.low)
	if s.byEnd != nil {
		s.low = append(zset.AppendTime(s.low[:0], last), key...)
		s.byEnd.Delete(s.low)
	}
}

// free forgets the sessions whose last time is at most last, with their rows.
func (s *sessionStore) free(last int64) {
	if last <= s.freed || last < -maxTime {
		return
	}
	s.freed = last
	upper := zset.AppendTime(nil, last+1)
	found := false
	var key []byte
	for it := s.byEnd.Scan(nil, upper); it.Next(); {
		found = true
		k := it.Key()
		key = append(key[:0], k[9:]...)
		end := timeAt(k)
		s.low = zset.AppendTime(append(s.low[:0], key...), end)
		v, ok := s.sessions.Get(s.low)
		if !ok {
			continue
		}
		start := int64(binary.LittleEndian.Uint64(v))
		n, at := binary.Uvarint(v[8:])
		if s.closed != nil {
			id, _ := binary.Uvarint(v[8+at:])
			*s.closed = append(*s.closed, int64(id))
		}
		s.sessions.Delete(s.low)
		s.freeRows(key, start, end, n)
	}
	if found {
		s.byEnd.DeleteRange(nil, upper)
	}
}

// freeRows deletes the rows of a key at times lo..hi, about n.
func (s *sessionStore) freeRows(key []byte, lo, hi int64, n uint64) {
	s.span(key, lo, hi)
	if n > fewRows {
		s.rows.DeleteRange(s.low, s.high)
		return
	}
	s.gone.free(s.rows, s.low, s.high)
}

// goneKeys are keys to delete.
type goneKeys struct {
	keys []byte
	ends []int
}

// free deletes the keys of a range, one by one where they are few.
func (g *goneKeys) free(t state.Table, lower, upper []byte) {
	g.keys, g.ends = g.keys[:0], g.ends[:0]
	for it := t.Scan(lower, upper); it.Next(); {
		if len(g.ends) == fewRows {
			it.Close()
			t.DeleteRange(lower, upper)
			return
		}
		g.keys = append(g.keys, it.Key()...)
		g.ends = append(g.ends, len(g.keys))
	}
	from := 0
	for _, to := range g.ends {
		t.Delete(g.keys[from:to])
		from = to
	}
}

// movedRows are stored rows that change their session in this step.
type movedRows struct {
	rows     *zset.Builder
	weights  []int64
	from, to []bounds
}

// finish returns the retractions and the insertions of the rows moved, nil if there are none, and begins anew.
func (m *movedRows) finish(o *session) (from, to *zset.Batch) {
	b := m.rows.Finish()
	if b == nil {
		return nil, nil
	}
	cols := make([]*zset.Vec, len(o.store.place))
	for c, at := range o.store.place {
		cols[c] = b.Cols[at]
	}
	neg := make([]int64, b.N)
	for i, w := range m.weights {
		neg[i] = -w
	}
	pos := slices.Clone(m.weights)
	from = m.side(o, &zset.Batch{Cols: cols, N: b.N, W: neg}, m.from)
	to = m.side(o, &zset.Batch{Cols: cols, N: b.N, W: pos}, m.to)
	m.weights, m.from, m.to = m.weights[:0], m.from[:0], m.to[:0]
	return from, to
}

func (m *movedRows) side(o *session, b *zset.Batch, at []bounds) *zset.Batch {
	starts, ends := make([]int64, b.N), make([]int64, b.N)
	for i, s := range at {
		starts[i], ends[i] = o.windowOf(s)
	}
	return withBounds(b, o.timeType, starts, ends)
}
