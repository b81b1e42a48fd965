package app

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"

	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// page reads some rows of a prefix, from where the page before ended.
type page struct {
	id  types.ObjectID
	sum uint32
	// order is which of the view's orders it goes by, and index its ID, which cursors name.
	order  int
	index  uint32
	prefix []*zset.Vec
	where  sieve
	limit  int
	// sealed says that the cursor of the page before was.
	sealed bool
	seals  seals

	// from is the state key of the first row; used is how many copies of it were answered before, if it still is the row of that hash.
	from []byte
	used int64
	hash uint64
	// more is set where rows follow; from and used are then theirs.
	more bool
}

// A page ends after maxPageBytes of rows even if more of them were asked for; they are decoded pageRows at a time.
const (
	maxPageBytes = 16 << 20
	pageRows     = 1000
)

// read returns up to limit rows, each as often as its weight; nil if there are none.
func (p *page) read(snap *op.ViewSnapshot) *zset.Batch {
	var parts []*zset.Batch
	for left, size, looked := p.limit, 0, 0; left > 0 && size < maxPageBytes && looked < maxSifted; {
		p.more = false
		b, n := p.next(snap, left)
		if b == nil {
			break
		}
		if b.N > 0 {
			parts = append(parts, b)
		}
		left, size, looked = left-b.N, size+batchBytes(b), looked+n
		if !p.more {
			break
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	if len(parts) == 0 {
		return nil
	}
	return zset.Concat(snap.Types(), parts...)
}

// piece returns the next rows, limit at most, and moves on behind them.
func (p *page) piece(snap *op.ViewSnapshot, limit int) *zset.Batch {
	b, next := snap.Range(p.order, op.Range{Prefix: p.prefix, From: p.from, Limit: limit})
	if b == nil {
		return nil
	}
	if p.used > 0 && p.hash != hashOf(b, 0) {
		p.used = 0
	}
	var sel []int32
	i, used := 0, p.used
	for i < b.N && len(sel) < limit {
		if used >= b.Weight(i) {
			i, used = i+1, 0
			continue
		}
		sel = append(sel, int32(i))
		used++
	}
	if i < b.N && used >= b.Weight(i) {
		i, used = i+1, 0
	}
	switch i {
	case 0:
		next = p.from
	case b.N:
	default:
		_, next = snap.Range(p.order, op.Range{Prefix: p.prefix, From: p.from, Limit: i})
	}
	p.from, p.used, p.more = next, used, next != nil || i == 0
	if used > 0 {
		p.hash = hashOf(b, i)
	}
	out := zset.GatherBatch(b, sel)
	out.W = nil
	return out
}

func hashOf(b *zset.Batch, row int) uint64 { return zset.Hash(b.Slice(row, row+1).Cols, 1, nil)[0] }

// A cursor begins with its version and is signed as signedCursor, or sealed behind sealedCursor.
const (
	cursorVersion = 3
	sealedCursor  = 2
	signedCursor  = "cursor of rows"
)

// unseal opens a cursor of a filtered reader; nil for what is none.
func (p *page) unseal(text string) []byte {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) == 0 || b[0] != sealedCursor || p.seals.aead == nil {
		return nil
	}
	return p.seals.open(b[1:])
}

// cursor is the opaque text of where the next page begins.
func (p *page) cursor() string {
	if !p.more {
		return ""
	}
	b := []byte{cursorVersion}
	b = binary.AppendUvarint(b, uint64(p.id))
	b = binary.BigEndian.AppendUint32(b, p.sum)
	b = binary.AppendUvarint(b, uint64(p.index))
	if b = binary.AppendUvarint(b, uint64(p.used)); p.used > 0 {
		b = binary.BigEndian.AppendUint64(b, p.hash)
	}
	b = append(b, p.from...)
	if len(p.where) > 0 {
		return base64.RawURLEncoding.EncodeToString(append([]byte{sealedCursor}, p.seals.seal(b)...))
	}
	return p.seals.signer.Sign(signedCursor, b)
}

func badCursor() *types.Error {
	e := types.Errorf(types.InvalidArgument, "parameter \"_cursor\" is not from an answer to this look-up").WithHint("send Leat-Cursor of the page before, with the same columns")
	e.Path = "_cursor"
	return e
}

// resume reads a cursor of the same look-up, and finds the order that it goes by.
func (p *page) resume(text string, orders []op.ViewOrder) error {
	bad := badCursor()
	gone := types.Errorf(types.Conflict, "the index by which the pages were read was dropped").WithHint("begin with the first page again: leave _cursor out")
	gone.Path = "_cursor"
	b, signed := p.seals.signer.Open(signedCursor, text)
	if p.sealed = !signed; p.sealed {
		b = p.unseal(text)
	}
	if len(b) < 7 || b[0] != cursorVersion {
		return bad
	}
	b = b[1:]
	id, n := binary.Uvarint(b)
	if n <= 0 || len(b) < n+5 || types.ObjectID(id) != p.id || binary.BigEndian.Uint32(b[n:]) != p.sum {
		return bad
	}
	b = b[n+4:]
	index, n := binary.Uvarint(b)
	if n <= 0 {
		return bad
	}
	if p.order = slices.IndexFunc(orders, func(o op.ViewOrder) bool { return uint64(o.Index) == index }); p.order < 0 {
		p.order = 0
		return gone
	}
	b = b[n:]
	used, n := binary.Uvarint(b)
	if n <= 0 || used > math.MaxInt64 {
		return bad
	}
	p.used, p.from = int64(used), b[n:]
	if used > 0 {
		if len(p.from) < 8 {
			return bad
		}
		p.hash, p.from = binary.BigEndian.Uint64(p.from), p.from[8:]
	}
	return nil
}
