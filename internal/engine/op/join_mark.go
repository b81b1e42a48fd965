package op

import (
	"bytes"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// A mark join answers x IN (SELECT y ...) per left row: TRUE with a match, else NULL if x is NULL and there is any y, or if some y is NULL,
// else FALSE. x = y is the key that isn't null-safe; the null-safe ones (of correlated subqueries) divide both sides into groups, each with
// its own "any y" and "some y is NULL". Those two are kept as counts in join.stats, under group + tag.
const (
	statRows  = 0
	statNulls = 1
)

// joinMark is what a mark join has beside the rest.
type joinMark struct {
	// safe is the number of null-safe keys; null is the encoding of the other key when NULL, nil if there is none.
	safe int
	null []byte
	// toggled are the keys that came or went in this step, with whether they were there.
	toggled map[string]bool
	flips   []markFlip
	buf     []byte
	builder *zset.Builder
}

// markFlip is a group of keys that the right's change touches, and its counts before.
type markFlip struct {
	prefix      []byte
	rows, nulls int64
	toggled     [][]byte
}

// checkMark refuses what would need the right rows with NULL keys themselves.
func checkMark(cfg *JoinConfig) error {
	plain := 0
	for _, safe := range cfg.NullSafe {
		if !safe {
			plain++
		}
	}
	switch {
	case cfg.Band != nil:
		return types.Errorf(types.Unsupported, "IN with a bound on the distance of two times")
	case plain > 1:
		return types.Errorf(types.Unsupported, "IN with several columns").WithHint("Compare one STRUCT.")
	case plain > 0 && cfg.Residual != nil:
		return types.Errorf(types.Unsupported, "IN whose subquery has conditions that are not equalities with columns outside")
	}
	return nil
}

// markOrder puts null-safe keys first, the clock's in front; a clock on the other key frees nothing, for a NULL to come changes all rows.
func (j *join) markOrder(cfg *JoinConfig) []int {
	m := &j.markState
	clock := cfg.Clock
	if clock.Key >= 0 && !cfg.NullSafe[clock.Key] {
		clock, j.clock = NoClock, false
	}
	var order, plain []int
	for _, k := range clockFirst(len(cfg.NullSafe), clock) {
		if cfg.NullSafe[k] {
			order = append(order, k)
			continue
		}
		plain = append(plain, k)
		t := cfg.LeftTypes[cfg.LeftKeys[k]]
		m.null = zset.NewKeyCodec([]types.Type{t}, nil).Append(nil, []*zset.Vec{zset.Nulls(t, 1)}, 0)
	}
	m.safe = len(order)
	return append(order, plain...)
}

// mark handles the change d of side s of a mark join without a residual.
func (j *join) mark(_ *Context, s *joinSide, d *zset.Batch) error {
	s.group(&j.groups, d, nil)
	if s.left {
		j.markLeft(s, d)
	} else {
		j.markRight(s, d)
	}
	return nil
}

func (j *join) markLeft(s *joinSide, d *zset.Batch) {
	j.matched, j.unknown = zeros(j.matched, d.N), zeros(j.unknown, d.N)
	m := &j.markState
	for i := range j.groups.len() {
		key := j.groups.key(i)
		prefix := m.prefix(s.keyCodec, key)
		rows, nulls := j.counts(prefix)
		o := m.outcome(s.other.exists(key), key[len(prefix):], rows, nulls)
		for _, row := range j.groups.group(i) {
			if o == markTrue {
				j.matched[row] = 1
			}
			if o == markNull {
				j.unknown[row] = 1
			}
		}
	}
	j.emitChange(s, d)
	s.apply(d, &j.groups, nil, nil)
}

// prefix returns the null-safe part of a key.
func (m *joinMark) prefix(codec *zset.KeyCodec, key []byte) []byte {
	rest := codec.Skip(key, m.safe)
	return key[:len(key)-len(rest)]
}

// outcome is the mark of a left row whose other key is plain.
func (m *joinMark) outcome(exists bool, plain []byte, rows, nulls int64) outcome {
	switch {
	case exists:
		return markTrue
	case m.null != nil && (nulls > 0 || rows > 0 && bytes.Equal(plain, m.null)):
		return markNull
	}
	return markFalse
}

// counts returns how many right rows a group has, and how many of them have NULL as their other key.
func (j *join) counts(prefix []byte) (rows, nulls int64) {
	if j.markState.null == nil {
		return 0, 0
	}
	rows, _ = j.addCount(prefix, statRows, 0)
	nulls, _ = j.addCount(prefix, statNulls, 0)
	return rows, nulls
}

func (j *join) addCount(prefix []byte, tag byte, delta int64) (before, after int64) {
	m := &j.markState
	m.buf = append(append(m.buf[:0], prefix...), tag)
	return addSum(j.stats, m.buf, delta)
}

// markRight applies the right's change, then outputs the left rows whose mark differs.
func (j *join) markRight(s *joinSide, d *zset.Batch) {
	m := &j.markState
	m.toggled, m.flips = map[string]bool{}, m.flips[:0]
	for i := range j.groups.len() {
		key, w := j.groups.key(i), int64(0)
		for _, row := range j.groups.group(i) {
			w += d.Weight(int(row))
		}
		prefix := m.prefix(s.keyCodec, key)
		if n := len(m.flips); n == 0 || !bytes.Equal(m.flips[n-1].prefix, prefix) {
			rows, nulls := j.counts(prefix)
			m.flips = append(m.flips, markFlip{prefix: prefix, rows: rows, nulls: nulls})
		}
		if m.null != nil {
			j.addCount(prefix, statRows, w)
		}
		if m.null != nil && bytes.Equal(key[len(prefix):], m.null) {
			j.addCount(prefix, statNulls, w)
			continue
		}
		before, after := addSum(s.rows, key, w)
		if (before > 0) != (after > 0) {
			f := &m.flips[len(m.flips)-1]
			f.toggled = append(f.toggled, key)
			m.toggled[string(key)] = before > 0
		}
	}
	for i := range m.flips {
		j.flipMarks(s, &m.flips[i])
	}
}

// flipMarks outputs the left rows of a group whose mark differs from before the step.
func (j *join) flipMarks(s *joinSide, f *markFlip) {
	rows, nulls := j.counts(f.prefix)
	if (rows > 0) != (f.rows > 0) || (nulls > 0) != (f.nulls > 0) {
		j.remark(s, f, f.prefix, rows, nulls)
		return
	}
	for _, key := range f.toggled {
		j.remark(s, f, key, rows, nulls)
	}
}

// remark compares the marks, before and now, of the left rows below a prefix of the state key.
func (j *join) remark(s *joinSide, f *markFlip, prefix []byte, rows, nulls int64) {
	m, left, r := &j.markState, s.other, &j.out.status
	r.reset()
	var last []byte
	var before, now outcome
	n := int32(0)
	lower, upper := state.Prefix(prefix, nil)
	for it := left.rows.Scan(lower, upper); it.Next(); {
		k := it.Key()
		rest := left.keyCodec.Skip(k, len(left.keys))
		key := k[:len(k)-len(rest)]
		if last == nil || !bytes.Equal(key, last) {
			last = append(last[:0], key...)
			has := s.exists(key)
			had, toggled := m.toggled[string(key)]
			if !toggled {
				had = has
			}
			plain := key[len(f.prefix):]
			before, now = m.outcome(had, plain, f.rows, f.nulls), m.outcome(has, plain, rows, nulls)
		}
		if before == now {
			continue
		}
		left.decode(m.builder, key, rest, 1)
		r.change(n, state.WeightOf(it.Value()), before, now)
		if n++; int(n) == j.probe.limit {
			j.emitRemarked(left)
			n = 0
		}
	}
	j.emitRemarked(left)
}

func (j *join) emitRemarked(left *joinSide) {
	if b := j.markState.builder.Finish(); b != nil {
		j.out.emitStatus(left, left.decoded(b))
	}
	j.out.status.reset()
}
