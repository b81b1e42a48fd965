package op

import (
	"slices"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// Columns of SessionGroupsConfig.Columns that no aggregate has.
const (
	SessionStart = -1
	SessionEnd   = -2
)

// SessionGroupsConfig configures NewSessionGroups.
type SessionGroupsConfig struct {
	// AggregateConfig groups rows by the session's ID, which is the first group, and by more.
	AggregateConfig
	// Gap is that of the sessions.
	Gap int64
	// Columns are the output's: columns of the aggregate's output, SessionStart or SessionEnd, of type Time.
	Columns []int
	Time    types.Type
	// Single promises that a session is one group.
	Single bool
	// Changes is what the operator of the sessions does.
	Changes *SessionChanges
}

// sessionGroups groups by sessions: an aggregate by the session's ID, whose rows get the session's bounds on their way out. The bounds of
// rows that the step does not change, but whose session it does, are changed by reading them from the aggregate's state.
type sessionGroups struct {
	cfg SessionGroupsConfig
	agg *aggregate
	out []types.Type
	// at finds the change of a session by its ID.
	at map[int64]int32
	// touched are the keys of the groups that have changed, of sessions whose bounds have.
	touched map[string]struct{}
	// kept are rows that stay as they are in a session whose bounds change; of says which change it is.
	kept *zset.Builder
	of   []int32
	key  []byte
	gone goneKeys
}

// NewSessionGroups returns GROUP BY a session and more: inputs are the rows behind the operator of the sessions, and that operator itself, so that
// it runs also where its rows were filtered out. The state of a session is freed when the session's operator closes it.
func NewSessionGroups(cfg SessionGroupsConfig, tables Tables) (Op, error) {
	cfg.Clock = NoClock
	a, err := NewAggregate(cfg.AggregateConfig, tables)
	if err != nil {
		return nil, err
	}
	o := &sessionGroups{cfg: cfg, agg: a.(*aggregate), at: map[int64]int32{}, touched: map[string]struct{}{}}
	ts := typesAt(cfg.Groups, cfg.Types)
	for _, g := range cfg.Aggs {
		ts = append(ts, g.Type)
	}
	o.kept = zset.NewBuilder(ts)
	for _, c := range cfg.Columns {
		if c < 0 {
			o.out = append(o.out, cfg.Time)
		} else {
			o.out = append(o.out, ts[c])
		}
	}
	return o, nil
}

// Step implements Op.
func (o *sessionGroups) Step(x *Context, in []*zset.Batch) (*zset.Batch, error) {
	d, err := o.agg.Step(x, in[:1])
	if err != nil {
		return nil, err
	}
	changes := o.cfg.Changes
	moved := false
	for i := range changes.list {
		c := &changes.list[i]
		o.at[c.id] = int32(i)
		moved = moved || c.moved()
	}
	out, err := o.bounded(d)
	if err != nil {
		return nil, err
	}
	if moved {
		out = o.rebound(d, out)
	}
	o.free(changes.closed)
	changes.reset()
	clear(o.at)
	return out, nil
}

// bounded gives the aggregate's rows the bounds of their sessions: what goes away those from before the step.
func (o *sessionGroups) bounded(d *zset.Batch) (*zset.Batch, error) {
	if d.Rows() == 0 {
		return nil, nil
	}
	of := make([]int32, d.N)
	for i, id := range d.Cols[0].I64[:d.N] {
		at, ok := o.at[id]
		if !ok {
			return nil, types.Errorf(types.Internal, "BUG: a group of session %d, which has not changed", id)
		}
		of[i] = at
		o.cfg.Changes.list[at].grouped = true
	}
	return o.output(d, d.W, of), nil
}

// output puts the columns of rows in order; of are their changes.
func (o *sessionGroups) output(b *zset.Batch, weights []int64, of []int32) *zset.Batch {
	both := make([]int64, 2*b.N)
	starts, ends := both[:b.N:b.N], both[b.N:]
	for i, at := range of {
		c := &o.cfg.Changes.list[at]
		s := &c.is
		if weights != nil && weights[i] < 0 {
			s = &c.was
		}
		starts[i], ends[i] = s.start, s.last+o.cfg.Gap
	}
	out := &zset.Batch{N: b.N, W: weights}
	for _, c := range o.cfg.Columns {
		switch c {
		case SessionStart:
			out.Cols = append(out.Cols, &zset.Vec{Type: o.cfg.Time, Len: b.N, I64: starts})
		case SessionEnd:
			out.Cols = append(out.Cols, &zset.Vec{Type: o.cfg.Time, Len: b.N, I64: ends})
		default:
			out.Cols = append(out.Cols, b.Cols[c])
		}
	}
	return out
}

// rebound adds to out the groups that d does not change, but whose session's bounds have.
func (o *sessionGroups) rebound(d, out *zset.Batch) *zset.Batch {
	o.touch(d)
	var upper []byte
	for i := range o.cfg.Changes.list {
		c := &o.cfg.Changes.list[i]
		if !c.moved() || o.cfg.Single && c.grouped {
			continue
		}
		o.key = idKey(o.key[:0], c.id)
		_, upper = state.Prefix(o.key, upper)
		for it := o.agg.table.Scan(o.key, upper); it.Next(); {
			if _, ok := o.touched[string(it.Key())]; !ok && o.agg.current(it.Key(), it.Value(), o.kept) {
				o.of = append(o.of, int32(i))
			}
		}
	}
	clear(o.touched)
	kept := o.kept.Finish()
	if kept == nil {
		return out
	}
	from := o.output(kept, slices.Repeat([]int64{-1}, kept.N), o.of)
	to := o.output(kept, nil, o.of)
	o.of = o.of[:0]
	if out == nil {
		return zset.Concat(o.out, from, to)
	}
	return zset.Concat(o.out, out, from, to)
}

// touch notes the groups of d whose session's bounds have changed.
func (o *sessionGroups) touch(d *zset.Batch) {
	if d == nil || o.cfg.Single {
		return
	}
	groups := d.Cols[:len(o.cfg.Groups)]
	for i, id := range groups[0].I64[:d.N] {
		if o.cfg.Changes.list[o.at[id]].moved() {
			o.key = o.agg.codec.Append(o.key[:0], groups, i)
			if _, ok := o.touched[string(o.key)]; !ok {
				o.touched[string(o.key)] = struct{}{}
			}
		}
	}
}

// free forgets the groups of sessions that are final.
func (o *sessionGroups) free(closed []int64) {
	var upper []byte
	for _, id := range closed {
		o.key = idKey(o.key[:0], id)
		_, upper = state.Prefix(o.key, upper)
		for _, t := range o.agg.frees.tables {
			o.gone.free(t, o.key, upper)
		}
	}
}

// current appends the output row of the group under a key of the state; false where it has none.
func (a *aggregate) current(key, value []byte, b *zset.Builder) bool {
	count, rest := readVarint(value)
	for _, acc := range a.accs {
		rest = acc.load(rest)
	}
	if a.evaluate(&a.is, count > 0); !a.is.exists || a.is.err != nil {
		return false
	}
	cells := a.is.cells
	for i, acc := range a.accs {
		cells = acc.write(b, len(a.cfg.Groups)+i, cells)
	}
	a.codec.Decode(key, b, 0)
	b.EndRow(1)
	return true
}
