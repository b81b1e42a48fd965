package op

import (
	"math"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// emitOnClose holds changes back until their time is final. Its table has [time][row] -> weight, so changes of the same row cancel out
// while they wait.
type emitOnClose struct {
	table state.Table
	time  int
	delay int64
	codec *zset.RowCodec
	out   *zset.Builder

	key, lower, upper []byte
}

// NewEmitOnClose returns the operator of EMIT ON WINDOW CLOSE over rows of the given types: a change is emitted, and forgotten, in the step
// in which the watermark reaches the value of timeColumn (a TIMESTAMP or TIMESTAMPTZ) plus delay µs. A change whose time is final already
// passes at once, as does one whose time is NULL: nothing could ever close it.
func NewEmitOnClose(ts []types.Type, timeColumn int, delay int64, tables Tables) (Op, error) {
	if timeColumn < 0 || timeColumn >= len(ts) || !ts[timeColumn].Kind.IsTime() {
		return nil, types.Errorf(types.Internal, "BUG: EMIT ON WINDOW CLOSE by column %d of %v", timeColumn, ts)
	}
	return &emitOnClose{table: tables(), time: timeColumn, delay: delay, codec: zset.NewRowCodec(ts), out: zset.NewBuilder(ts),
		lower: zset.AppendTime(nil, math.MinInt64)}, nil
}

func (e *emitOnClose) Step(x *Context, in []*zset.Batch) (*zset.Batch, error) {
	final, known := int64(math.MinInt64), false
	if x.Watermark != types.NoWatermark && x.Watermark >= math.MinInt64+e.delay {
		final, known = x.Watermark-e.delay, true
	}
	if b := in[0]; b.Rows() > 0 {
		e.hold(b, final, known)
	}
	if known {
		e.release(final)
	}
	return e.out.Finish(), nil
}

// hold passes the rows on whose time is final or NULL, and puts the others into the table.
func (e *emitOnClose) hold(b *zset.Batch, final int64, known bool) {
	v := b.Cols[e.time]
	for i := range b.N {
		if v.Null(i) || known && v.I64[i] <= final {
			e.out.Append(b, i, b.Weight(i))
			continue
		}
		e.key = zset.AppendTime(e.key[:0], v.I64[i])
		e.key = e.codec.Append(e.key, b.Cols, i)
		e.table.Add(e.key, b.Weight(i))
	}
}

// release emits and forgets what is final.
func (e *emitOnClose) release(final int64) {
	e.upper = nil
	if final < math.MaxInt64 {
		e.upper = zset.AppendTime(e.upper[:0], final+1)
	}
	n := e.out.Len()
	for it := e.table.Scan(e.lower, e.upper); it.Next(); {
		e.codec.Decode(it.Key()[len(e.lower):], e.out, 0)
		e.out.EndRow(state.WeightOf(it.Value()))
	}
	if e.out.Len() > n {
		e.table.DeleteRange(e.lower, e.upper)
	}
}
