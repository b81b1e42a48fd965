package app

import (
	"crypto/aes"
	"crypto/cipher"
	"slices"

	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/query"
	"leat/internal/types"
)

// maxSifted is how many rows one page of a look-up looks at for those that fulfil its conditions; the page then ends with what it has, and its
// cursor goes on.
const maxSifted = 100_000

// condition is a query.Condition on a column of a relation; of is nil where no row fulfils it.
type condition struct {
	column int
	of     *zset.Vec
}

// sieve keeps the rows that fulfil all conditions.
type sieve []condition

// sieve finds the conditions' columns and gives their values the columns' types.
func (k *keyed) sieve(where []query.Condition) (sieve, error) {
	var out sieve
	for _, w := range where {
		c := condition{column: k.schema.Index(w.Column.Name)}
		if c.column < 0 {
			return nil, anew()
		}
		if w.Value != nil {
			if c.of = parseValue(k.schema.Columns[c.column].Type, w.Text); c.of == nil {
				return nil, types.Errorf(types.PermissionDenied, "this token sees the rows of %q by their column %q, and its value for that is no %s",
					k.object.Name, w.Column.Name, w.Column.Type)
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// find is the place of a condition on a column, -1 if there is none that a row can fulfil.
func (s sieve) find(column int) int {
	return slices.IndexFunc(s, func(c condition) bool { return c.column == column && c.of != nil })
}

// keep are the rows of a batch that fulfil the conditions.
func (s sieve) keep(b *zset.Batch) []int32 {
	var sel []int32
	for i := range b.N {
		if s.keeps(b, i) {
			sel = append(sel, int32(i))
		}
	}
	return sel
}

func (s sieve) keeps(b *zset.Batch, row int) bool {
	for _, c := range s {
		if v := b.Cols[c.column]; c.of == nil || v.Null(row) || zset.Compare(v, row, c.of, 0) != 0 {
			return false
		}
	}
	return true
}

// never says that no row can fulfil the conditions.
func (s sieve) never() bool {
	return slices.ContainsFunc(s, func(c condition) bool { return c.of == nil })
}

// one is a batch of at most one row, nil if the row doesn't fulfil the conditions.
func (s sieve) one(b *zset.Batch) *zset.Batch {
	if b == nil || b.N == 0 || !s.keeps(b, 0) {
		return nil
	}
	return b
}

// next returns the next rows of a page, limit at most, and how many of those that it looked at count towards maxSifted; nil at the end.
func (p *page) next(snap *op.ViewSnapshot, limit int) (*zset.Batch, int) {
	if len(p.where) == 0 {
		return p.piece(snap, min(limit, pageRows)), 0
	}
	if p.where.never() {
		return nil, 0
	}
	before := *p
	b := p.piece(snap, pageRows)
	if b == nil {
		return nil, 0
	}
	sel, looked := p.where.keep(b), b.N
	if len(sel) > limit {
		sel = sel[:limit]
		looked = int(sel[limit-1]) + 1
		*p = before
		b = p.piece(snap, looked)
	}
	return zset.GatherBatch(b, sel), looked
}

// seals signs cursors, and hides what those of filtered pages say: the key of a row that the reader may not see.
type seals struct {
	signer query.Signer
	aead   cipher.AEAD
}

func newSeals(signer query.Signer) seals {
	key := signer.Derive("cursors of filtered pages")
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("BUG: a key of 32 bytes: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("BUG: GCM: " + err.Error())
	}
	return seals{signer, aead}
}

func (s seals) seal(b []byte) []byte { return s.aead.Seal(nil, nil, b, nil) }

// open returns nil for what seal didn't make.
func (s seals) open(b []byte) []byte {
	out, err := s.aead.Open(nil, nil, b, nil)
	if err != nil {
		return nil
	}
	return out
}
