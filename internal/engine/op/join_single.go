package op

import (
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// joinSingle is the scratch of a single join: a left join in which a left row with more than one match is an error of the row, and absent.
type joinSingle struct {
	// held are pairs, the first of their left row; row says which row that is.
	held []*zset.Batch
	row  []int32
	// failed are left rows with more than one match.
	failed []*zset.Batch
	// touched are the left rows that the right's change may concern.
	touched []*zset.Batch
}

// scalar handles the change d of side s. A left row's output depends on all its matches at once, so a change of the right takes the left
// rows with its keys out, with the right as it was, and puts them in again with the right as it is.
func (j *join) scalar(x *Context, s *joinSide, d *zset.Batch) error {
	if s.left {
		if err := j.scalarRows(x, s, d); err != nil {
			return err
		}
		s.apply(d, &j.groups, nil, nil)
	} else if err := j.scalarRight(x, s, d); err != nil {
		return err
	}
	f := &j.single
	failed := zset.Consolidate(zset.Concat(j.sides[0].types, f.failed...))
	clear(f.failed)
	f.failed = f.failed[:0]
	for i := range failed.Rows() {
		x.Fail(failed, i, types.Errorf(types.DataError, "More than one row returned by a subquery used as an expression"))
	}
	return nil
}

func (j *join) scalarRight(x *Context, s *joinSide, d *zset.Batch) error {
	f, left := &j.single, s.other
	s.group(&j.groups, d, s.never)
	j.probe.begin(s, d, &j.groups, false, func(_ *Context, c *joinChunk) error {
		all := make([]int32, len(c.w))
		for i := range all {
			all[i] = int32(i)
		}
		f.touched = append(f.touched, &zset.Batch{N: len(all), Cols: c.stateRows(all), W: plainWeights(c.w)})
		return nil
	})
	if err := j.probe.run(x); err != nil {
		return err
	}
	rows := zset.Concat(left.types, f.touched...)
	clear(f.touched)
	f.touched = f.touched[:0]
	if rows.Rows() > 0 {
		if err := j.scalarRows(x, left, zset.Negate(rows)); err != nil {
			return err
		}
		s.group(&j.groups, d, s.never)
	}
	s.apply(d, &j.groups, nil, nil)
	if rows.Rows() == 0 {
		return nil
	}
	if err := j.scalarRows(x, left, rows); err != nil {
		return err
	}
	out, err := j.out.finish()
	j.out.add(zset.Consolidate(out)) // what did not change cancels out
	return err
}

// scalarRows outputs rows of the left by the matches they have; it leaves them in j.groups.
func (j *join) scalarRows(x *Context, s *joinSide, d *zset.Batch) error {
	f := &j.single
	s.group(&j.groups, d, s.never)
	j.matched = zeros(j.matched, d.N)
	f.row = f.row[:0]
	j.probe.begin(s, d, &j.groups, true, j.hold)
	if err := j.probe.run(x); err != nil {
		return err
	}
	var sel []int32
	for i, row := range f.row {
		if j.matched[row] == 1 {
			sel = append(sel, int32(i))
		}
	}
	if len(sel) > 0 {
		j.out.add(zset.GatherBatch(zset.Concat(j.out.types, f.held...), sel))
	}
	clear(f.held)
	f.held = f.held[:0]
	j.unknown = zeros(j.unknown, d.N)
	j.emitChange(s, d)
	var many []int32
	for i, m := range j.matched {
		if m > 1 {
			many = append(many, int32(i))
		}
	}
	if len(many) > 0 {
		f.failed = append(f.failed, zset.GatherBatch(d, many))
	}
	return nil
}

// hold keeps the first match of each left row.
func (j *join) hold(x *Context, c *joinChunk) error {
	f := &j.single
	cand, pass, _, err := j.test(x, c)
	if err != nil {
		return err
	}
	var first []int32
	take := func(p int) {
		d, w := c.d[p], c.w[c.r[p]]
		if j.matched[d] == 0 && w == 1 {
			first = append(first, int32(p))
			f.row = append(f.row, d)
		}
		j.matched[d] += w
	}
	if pass == nil {
		for p := range c.d {
			take(p)
		}
	}
	for _, p := range pass {
		take(int(p))
	}
	if len(first) > 0 {
		f.held = append(f.held, c.pick(cand, first))
	}
	return nil
}
