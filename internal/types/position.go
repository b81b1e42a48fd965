package types

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// Offset counts entries of one partition from 0. Offsets rise; a mark takes one too, and a
// log may leave gaps, so never compute a number of rows from two offsets.
type Offset uint64

// NoWatermark is the watermark of a partition that has none yet: every timestamp is in time.
const NoWatermark int64 = math.MinInt64

// PartitionID names one partition of one stream's log.
type PartitionID struct {
	Stream ObjectID
	Index  uint32
}

// String is "stream/index", for messages.
func (p PartitionID) String() string { return fmt.Sprintf("%d/%d", p.Stream, p.Index) }

// Compare orders partitions by stream, then index.
func (p PartitionID) Compare(o PartitionID) int {
	return cmp.Or(cmp.Compare(p.Stream, o.Stream), cmp.Compare(p.Index, o.Index))
}

// Cursor is a place in one partition: Next is the first offset not yet read.
type Cursor struct {
	Partition PartitionID
	Next      Offset
}

// Position is an offset vector of one log. Cursors are sorted by partition, at most one each.
// The zero value is before everything.
type Position struct {
	// Incarnation names the log; a restored log has another one, so an old position is refused, never waited for.
	Incarnation uint64
	Cursors     []Cursor
}

const positionVersion = 1

// NewPosition sorts cursors (taking ownership of them) and keeps the greatest of each partition.
func NewPosition(incarnation uint64, cursors []Cursor) Position {
	slices.SortFunc(cursors, func(a, b Cursor) int {
		return cmp.Or(a.Partition.Compare(b.Partition), cmp.Compare(b.Next, a.Next))
	})
	cursors = slices.CompactFunc(cursors, func(a, b Cursor) bool { return a.Partition == b.Partition })
	return Position{Incarnation: incarnation, Cursors: cursors}
}

// Token prints the position as the opaque text that clients carry (docs/formats/position.md).
func (p Position) Token() string {
	b := []byte{positionVersion}
	b = binary.BigEndian.AppendUint64(b, p.Incarnation)
	b = binary.AppendUvarint(b, uint64(len(p.Cursors)))
	for _, c := range p.Cursors {
		b = binary.AppendUvarint(b, uint64(c.Partition.Stream))
		b = binary.AppendUvarint(b, uint64(c.Partition.Index))
		b = binary.AppendUvarint(b, uint64(c.Next))
	}
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParsePosition reads a token. A damaged or foreign one is InvalidArgument.
func ParsePosition(token string) (Position, error) {
	bad := Errorf(InvalidArgument, "position %.40q is damaged or not a position", token).
		WithHint("send a position exactly as Leat answered it")
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < 14 || b[0] != positionVersion {
		return Position{}, bad
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return Position{}, bad
	}
	p := Position{Incarnation: binary.BigEndian.Uint64(body[1:9])}
	r := body[9:]
	next := func() uint64 {
		v, n := binary.Uvarint(r)
		if n <= 0 {
			r, err = nil, bad
			return 0
		}
		r = r[n:]
		return v
	}
	for n := next(); n > 0 && err == nil; n-- {
		s, i, o := next(), next(), next()
		if i > math.MaxUint32 {
			return Position{}, bad
		}
		p.Cursors = append(p.Cursors, Cursor{PartitionID{ObjectID(s), uint32(i)}, Offset(o)})
	}
	if err != nil || len(r) != 0 {
		return Position{}, bad
	}
	return p, nil
}

// Covers reports whether p has read all that o has.
func (p Position) Covers(o Position) bool {
	for _, c := range o.Cursors {
		i, ok := slices.BinarySearchFunc(p.Cursors, c.Partition, func(a Cursor, t PartitionID) int { return a.Partition.Compare(t) })
		if c.Next > 0 && (!ok || p.Cursors[i].Next < c.Next) {
			return false
		}
	}
	return true
}
