package state

import "encoding/binary"

// AppendWeight appends a weight as Add stores it: a zig-zag varint.
func AppendWeight(dst []byte, w int64) []byte { return binary.AppendVarint(dst, w) }

// WeightOf reads a weight that AppendWeight wrote; a damaged one is 0.
func WeightOf(value []byte) int64 {
	w, _ := binary.Varint(value)
	return w
}
