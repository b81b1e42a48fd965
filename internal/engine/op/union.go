package op

import (
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// union is UNION ALL. It has no state.
type union struct{ types []types.Type }

// NewUnion returns the operator whose output are the rows of all inputs, each of which has columns of these types.
func NewUnion(ts []types.Type) Op { return &union{ts} }

// Step implements Op.
func (u *union) Step(_ *Context, in []*zset.Batch) (*zset.Batch, error) {
	return zset.Concat(u.types, in...), nil
}
