package op

import (
	"math"

	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/types"
)

// join is the incremental join. A step takes the left's change against the right as it was, applies it, then takes the right's change
// against the left as it is now: Δ(A⋈B) = ΔA⋈B + (A+ΔA)⋈ΔB. Each half sees one side fixed, so what depends on whether a row has a match
// (padding, semi, anti, mark) is: the rows of the change by the matches they find, and the rows of the fixed side whose having a match flips.
//
// Where rows match as soon as their keys are equal, having a match is a property of the key: the arrangement of the other side has the key
// or not. With a residual or a band it is a property of the row: joins whose output depends on it are counted (joinSide.matches).
type join struct {
	kind     plan.JoinKind
	sides    [2]*joinSide
	residual *expr.Program
	// needed says, of pairs' columns, which ones the residual reads.
	needed  []bool
	counted bool
	// pairs: each match is a row of the output.
	pairs bool
	// phase handles the change d of side s.
	phase func(x *Context, s *joinSide, d *zset.Batch) error

	delay int64
	clock bool
	slack [2]int64
	freed int64

	// peak is the number of rows of the largest step that scratch was kept from.
	peak    int
	groups  rowGroups
	probe   joinProbe
	out     joinOutput
	matched []int64
	unknown []int64
	had     []int32
	flips   joinFlips
	single  joinSingle
	// stats and markState are a mark join's: see join_mark.go.
	stats     state.Table
	markState joinMark
}

// NewJoin returns a join of two inputs. Its tables are, in this order: the left's rows, the right's, and what the kind counts. A mark join
// takes at most one key that isn't null-safe, and none beside a residual: what is unknown then would need the rows with NULLs.
func NewJoin(cfg JoinConfig, tables Tables) (Op, error) {
	j := &join{kind: cfg.Kind, residual: cfg.Residual, delay: cfg.Clock.Delay, freed: types.NoWatermark}
	j.probe.limit, j.probe.share, j.probe.least = probeChunk, smallShare, fewGroups
	j.slack = [2]int64{cfg.LeftSlack, cfg.RightSlack}
	switch cfg.Kind {
	case plan.Inner, plan.Left, plan.Right, plan.Full, plan.Single:
		j.pairs = true
	case plan.Mark:
		if err := checkMark(&cfg); err != nil {
			return nil, err
		}
	}
	status := joinStatuses(cfg.Kind)
	conditional := cfg.Residual != nil || cfg.Band != nil
	j.counted = conditional && (status[0] != statusNone || status[1] != statusNone) && cfg.Kind != plan.Single
	j.clock = cfg.Clock.Key >= 0
	j.makeSides(&cfg, status, !j.pairs && !j.counted)
	left, right := j.sides[0], j.sides[1]
	left.rows, right.rows = tables(), tables()
	for _, s := range j.sides {
		if j.counted && s.status != statusNone {
			s.matches = tables()
			if s.status == statusMark {
				s.unknown = tables()
			}
		}
	}
	j.phase = j.standard
	switch {
	case cfg.Kind == plan.Single:
		j.phase = j.scalar
	case cfg.Kind == plan.Mark && !conditional:
		j.stats = tables()
		j.phase = j.mark
		j.markState.builder = left.builder()
	}
	j.needed = make([]bool, len(cfg.LeftTypes)+len(cfg.RightTypes))
	if cfg.Residual != nil {
		for _, c := range cfg.Residual.Inputs() {
			j.needed[c] = true
		}
	}
	j.out.init(left, right, cfg.Kind)
	return j, nil
}

// joinStatuses says what the two sides of a kind output by whether a row has a match.
func joinStatuses(k plan.JoinKind) [2]joinStatus {
	switch k {
	case plan.Left, plan.Single:
		return [2]joinStatus{statusPad, statusNone}
	case plan.Right:
		return [2]joinStatus{statusNone, statusPad}
	case plan.Full:
		return [2]joinStatus{statusPad, statusPad}
	case plan.Semi:
		return [2]joinStatus{statusMatched, statusNone}
	case plan.Anti:
		return [2]joinStatus{statusUnmatched, statusNone}
	case plan.Mark:
		return [2]joinStatus{statusMark, statusNone}
	}
	return [2]joinStatus{}
}

func (j *join) makeSides(cfg *JoinConfig, status [2]joinStatus, keysOnly bool) {
	order := clockFirst(len(cfg.LeftKeys), cfg.Clock)
	if cfg.Kind == plan.Mark {
		order = j.markOrder(cfg)
	}
	times, bucket := [2]int{-1, -1}, int64(0)
	if cfg.Band != nil {
		times = [2]int{cfg.Band.LeftTime, cfg.Band.RightTime}
		if !j.clock {
			bucket = bucketSize(cfg.Band)
		}
	}
	left := newJoinSide(cfg.LeftTypes, cfg.LeftKeys, cfg.NullSafe, order, times[0], false)
	right := newJoinSide(cfg.RightTypes, cfg.RightKeys, cfg.NullSafe, order, times[1], keysOnly)
	left.left, left.other, right.other = true, right, left
	left.appendOnly, right.appendOnly = cfg.LeftAppendOnly, cfg.RightAppendOnly
	left.status, right.status = status[0], status[1]
	left.bucket, right.bucket = bucket, bucket
	left.dropMatched = (cfg.Kind == plan.Semi || cfg.Kind == plan.Anti) && !j.counted && right.appendOnly
	if cfg.Band != nil {
		left.lower, left.upper = cfg.Band.Lower, cfg.Band.Upper
		right.lower, right.upper = negate(cfg.Band.Upper), negate(cfg.Band.Lower)
	}
	j.sides = [2]*joinSide{left, right}
}

func negate(v int64) int64 {
	if v == math.MinInt64 {
		return math.MaxInt64
	}
	return -v
}

// Step implements Op.
func (j *join) Step(x *Context, in []*zset.Batch) (*zset.Batch, error) {
	for i, s := range j.sides {
		if in[i].Rows() == 0 {
			continue
		}
		if err := j.phase(x, s, in[i]); err != nil {
			return nil, err
		}
	}
	j.free(x.Watermark)
	j.rest(max(in[0].Rows(), in[1].Rows()))
	return j.out.finish()
}

// Sizes of steps in rows: after one of fewer than restSmall, scratch for more than restLarge is given back.
const (
	restSmall = 1 << 10
	restLarge = 1 << 13
)

// rest lets go of the step's batches, and of scratch that steps such as this one don't need.
func (j *join) rest(rows int) {
	j.probe.delta, j.probe.chunk.delta = nil, nil
	for _, s := range j.sides {
		clear(s.cols)
	}
	clear(j.groups.never)
	if j.peak = max(j.peak, rows); rows < restSmall && j.peak > restLarge {
		j.peak = rows
		j.groups, j.probe.chunk, j.flips, j.out.status = rowGroups{}, joinChunk{}, joinFlips{}, statusRows{}
		j.matched, j.unknown, j.had, j.single.row = nil, nil, nil, nil
		for _, s := range j.sides {
			s.order, s.buf, s.ends, s.from = zset.KeySorter{}, nil, nil, nil
		}
	}
}

// standard handles the change d of side s for all kinds but single and the plain mark.
func (j *join) standard(x *Context, s *joinSide, d *zset.Batch) error {
	o := s.other
	s.group(&j.groups, d, s.never)
	j.matched, j.unknown = zeros(j.matched, d.N), zeros(j.unknown, d.N)
	switch {
	case j.pairs || j.counted:
		j.probe.begin(s, d, &j.groups, true, j.pass)
		if err := j.probe.run(x); err != nil {
			return err
		}
	case s.status != statusNone:
		j.lookUp(o)
	}
	toggles := o.status != statusNone && !j.counted
	if toggles {
		j.findHad(s)
	}
	j.emitChange(s, d)
	s.apply(d, &j.groups, j.matched, j.unknown)
	if toggles {
		return j.toggle(x, s, d)
	}
	return nil
}

// zeros returns v with n zeros.
func zeros(v []int64, n int) []int64 {
	if cap(v) < n {
		return make([]int64, n)
	}
	v = v[:n]
	clear(v)
	return v
}

// lookUp sets matched of each row to whether o has its key.
func (j *join) lookUp(o *joinSide) {
	for i := range j.groups.len() {
		if o.exists(j.groups.key(i)) {
			for _, row := range j.groups.group(i) {
				j.matched[row] = 1
			}
		}
	}
}

// emitChange outputs the rows of d by whether they have a match.
func (j *join) emitChange(s *joinSide, d *zset.Batch) {
	if s.status == statusNone {
		return
	}
	r := &j.out.status
	r.reset()
	for row := range d.N {
		r.add(s.status, int32(row), d.Weight(row), j.matched[row], j.unknown[row])
	}
	j.out.emitStatus(s, d)
}
