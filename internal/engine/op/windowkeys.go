package op

import (
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// notAppendOnly ends a pipeline in which a window that goes by the order of its rows is to take one away; sql/opt refuses such plans.
func notAppendOnly(what string) *types.Error {
	return types.Errorf(types.Unsupported, "%s goes by the order of the log, so its input must be append-only", what)
}

// keyRuns sorts the rows of a step by some key columns, keeping their order within a key.
type keyRuns struct {
	keys   []int
	codec  *zset.KeyCodec
	groups grouper
	cols   []*zset.Vec
	first  []int32
	// order are all rows, those of key g at order[ends[g-1]:ends[g]].
	order, ends []int32
	buf         []byte
}

func newKeyRuns(keys []int, in []types.Type) *keyRuns {
	return &keyRuns{keys: keys, codec: zset.NewKeyCodec(typesAt(keys, in), nil), cols: make([]*zset.Vec, len(keys))}
}

func typesAt(at []int, in []types.Type) []types.Type {
	ts := make([]types.Type, len(at))
	for i, c := range at {
		ts[i] = in[c]
	}
	return ts
}

// split takes the rows of b and returns the number of keys.
func (r *keyRuns) split(b *zset.Batch) int {
	for i, c := range r.keys {
		r.cols[i] = zset.Normalize(b.Cols[c])
	}
	gid, first := r.groups.assign(r.cols, b.N)
	r.first = first
	r.ends = append(r.ends[:0], make([]int32, len(first))...)
	for _, g := range gid {
		r.ends[g]++
	}
	sum := int32(0)
	for g, n := range r.ends {
		r.ends[g] = sum
		sum += n
	}
	if cap(r.order) < b.N {
		r.order = make([]int32, b.N)
	}
	r.order = r.order[:b.N]
	for i, g := range gid {
		r.order[r.ends[g]] = int32(i)
		r.ends[g]++
	}
	return len(first)
}

// rows returns the rows of a key in their order.
func (r *keyRuns) rows(g int) []int32 {
	if g == 0 {
		return r.order[:r.ends[0]]
	}
	return r.order[r.ends[g-1]:r.ends[g]]
}

// key returns the encoded key, valid until the next call.
func (r *keyRuns) key(g int) []byte {
	r.buf = r.codec.Append(r.buf[:0], r.cols, int(r.first[g]))
	return r.buf
}

// retracts reports whether a batch takes rows away.
func retracts(b *zset.Batch) bool {
	for _, w := range b.W {
		if w < 0 {
			return true
		}
	}
	return false
}
