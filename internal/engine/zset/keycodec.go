package zset

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/types"
)

// KeyOrder is the direction of one column of a key; the zero value is ascending, NULLS LAST.
type KeyOrder struct{ Desc, NullsFirst bool }

// The first byte of an encoded value. Those of NULL stand around that of all others, so that they order as asked.
const (
	keyNullFirst byte = 0
	keyValue     byte = 1
	keyNullLast  byte = 2
)

// KeyCodec turns columns of a row into bytes that order as the columns do, and back without loss (docs/formats/engine-rows.md). It is
// immutable and safe to share.
//
// The order is exactly SQL's where the columns went through Normalize; else values that SQL calls equal but that differ (-0.0 and 0.0, a
// month and 30 days) lie beside each other, in an order of their own that comes before that of later columns. A value's encoding is never the
// prefix of another's, so the encoding of some leading columns is the prefix of exactly the keys that have them.
type KeyCodec struct {
	cols []keyColumn
}

type keyColumn struct {
	typ  types.Type
	form keyForm
	null byte
	flip byte // 0xff where the order is descending
}

// keyForm is how the values of a type are written.
type keyForm uint8

const (
	keyInt64 keyForm = iota
	keyFloat
	keyWide
	// keyText is escaped and terminated.
	keyText
	keyUUID
	keyInterval
	// keyPacked ends by itself (pack.go).
	keyPacked
)

func keyFormOf(t types.Type) keyForm {
	switch PhysOf(t) {
	case Float64:
		return keyFloat
	case Wide:
		return keyWide
	case Int64:
		return keyInt64
	}
	switch t.Kind {
	case types.UUID:
		return keyUUID
	case types.Interval:
		return keyInterval
	case types.List, types.Struct, types.Map:
		return keyPacked
	}
	return keyText
}

// NewKeyCodec returns the codec of columns of these types. opts is one order per column; nil is ascending, NULLS LAST.
func NewKeyCodec(ts []types.Type, opts []KeyOrder) *KeyCodec {
	k := &KeyCodec{cols: make([]keyColumn, len(ts))}
	for i, t := range ts {
		c := keyColumn{typ: t, form: keyFormOf(t), null: keyNullLast}
		if opts != nil && opts[i].NullsFirst {
			c.null = keyNullFirst
		}
		if opts != nil && opts[i].Desc {
			c.flip = 0xff
		}
		k.cols[i] = c
	}
	return k
}

// Append appends row row of cols, one column per type.
func (k *KeyCodec) Append(dst []byte, cols []*Vec, row int) []byte {
	for i, v := range cols {
		dst = k.cols[i].append(dst, v, row)
	}
	return dst
}

// AppendCol appends value row of v as column i.
func (k *KeyCodec) AppendCol(dst []byte, i int, v *Vec, row int) []byte {
	return k.cols[i].append(dst, v, row)
}

// AppendNull appends NULL as column i.
func (k *KeyCodec) AppendNull(dst []byte, i int) []byte { return append(dst, k.cols[i].null) }

// AppendTime appends a non-NULL value of an ascending TIMESTAMP (or other Int64) column: the bound of a range by time.
func AppendTime(dst []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, keyValue), uint64(v)^1<<63)
}

func (c *keyColumn) append(dst []byte, v *Vec, row int) []byte {
	if v.Valid != nil && v.Null(row) {
		return append(dst, c.null)
	}
	if c.form == keyInt64 {
		x := uint64(v.I64[row]) ^ 1<<63
		if c.flip != 0 {
			x = ^x
		}
		return binary.BigEndian.AppendUint64(append(dst, keyValue), x)
	}
	at := len(dst) + 1
	dst = append(dst, keyValue)
	switch c.form {
	case keyText:
		dst = appendText(dst, v.Bytes(row))
	case keyFloat:
		dst = binary.BigEndian.AppendUint64(dst, orderedFloat(v.F64[row]))
	case keyWide:
		w := v.W[row]
		dst = binary.BigEndian.AppendUint64(dst, uint64(w.HighBits())^1<<63)
		dst = binary.BigEndian.AppendUint64(dst, w.LowBits())
	case keyUUID, keyPacked:
		dst = append(dst, v.Bytes(row)...)
	case keyInterval:
		dst = appendInterval(dst, v.Bytes(row))
	}
	if c.flip != 0 {
		invert(dst[at:])
	}
	return dst
}

// Decode writes the columns of a key that Append made to columns at.. of b's current row, and returns what follows the key.
func (k *KeyCodec) Decode(src []byte, b *Builder, at int) []byte {
	for i := range k.cols {
		src = k.cols[i].decode(src, &b.cols[at+i])
	}
	return src
}

// DecodeCol writes a value that AppendCol made as column i to column at of b's current row, and returns what follows it.
func (k *KeyCodec) DecodeCol(src []byte, i int, b *Builder, at int) []byte {
	return k.cols[i].decode(src, &b.cols[at])
}

// Skip returns what follows the first n columns of a key.
func (k *KeyCodec) Skip(src []byte, n int) []byte {
	for i := range n {
		src = k.cols[i].skip(src)
	}
	return src
}

// SkipCol returns what follows a value that AppendCol made as column i.
func (k *KeyCodec) SkipCol(src []byte, i int) []byte { return k.cols[i].skip(src) }

func (c *keyColumn) skip(src []byte) []byte {
	if src[0] != keyValue {
		return src[1:]
	}
	return src[1+c.size(src[1:]):]
}

// size is the length of the value, without its first byte.
func (c *keyColumn) size(src []byte) int {
	switch c.form {
	case keyText:
		return textSize(src, c.flip)
	case keyWide, keyUUID:
		return 16
	case keyInterval:
		return intervalSize
	case keyPacked:
		return len(src) - len(skipPacked(c.typ, src, c.flip))
	}
	return 8
}

func (c *keyColumn) decode(src []byte, to *column) []byte {
	if src[0] != keyValue {
		to.null()
		return src[1:]
	}
	src = src[1:]
	if c.form == keyText {
		return c.decodeText(src, to)
	}
	n := c.size(src)
	var flip uint64
	if c.flip != 0 {
		flip = math.MaxUint64
	}
	switch c.form {
	case keyInt64:
		to.i64 = append(to.i64, int64(binary.BigEndian.Uint64(src)^flip^1<<63))
		to.value()
	case keyFloat:
		to.f64 = append(to.f64, fromOrderedFloat(binary.BigEndian.Uint64(src)^flip))
		to.value()
	case keyWide:
		hi := int64(binary.BigEndian.Uint64(src) ^ flip ^ 1<<63)
		to.w = append(to.w, decimal128.New(hi, binary.BigEndian.Uint64(src[8:])^flip))
		to.value()
	default:
		raw := src[:n]
		if c.form == keyInterval {
			raw = raw[n-16:]
		}
		from := len(to.data)
		to.data = append(to.data, raw...)
		if c.flip != 0 {
			invert(to.data[from:])
		}
		to.endBytes()
	}
	return src[n:]
}

// Text: a zero byte is written as 00 ff, the end as 00 00.

func appendText(dst, p []byte) []byte {
	for {
		i := bytes.IndexByte(p, 0)
		if i < 0 {
			return append(append(dst, p...), 0, 0)
		}
		dst = append(append(dst, p[:i]...), 0, 0xff)
		p = p[i+1:]
	}
}

// textSize is the length with the end.
func textSize(src []byte, flip byte) int {
	n := 0
	for {
		n += bytes.IndexByte(src[n:], flip) + 2
		if src[n-1] == flip {
			return n
		}
	}
}

func (c *keyColumn) decodeText(src []byte, to *column) []byte {
	from := len(to.data)
	for {
		i := bytes.IndexByte(src, c.flip)
		end := src[i+1] == c.flip
		if !end {
			i++ // the zero itself
		}
		to.data = append(to.data, src[:i]...)
		if src = src[i+1:]; end {
			break
		}
	}
	if c.flip != 0 {
		invert(to.data[from:])
	}
	to.endBytes()
	return src[1:]
}

func invert(p []byte) {
	for i := range p {
		p[i] = ^p[i]
	}
}

// orderedFloat gives bits that order as the numbers, NaN last.
func orderedFloat(x float64) uint64 {
	u := floatBits(x)
	if u>>63 != 0 {
		return ^u
	}
	return u | 1<<63
}

func fromOrderedFloat(u uint64) float64 {
	if u>>63 != 0 {
		return math.Float64frombits(u &^ (1 << 63))
	}
	return math.Float64frombits(^u)
}

// Interval: the normal form (months 8 bytes, days 1, micros 8) and then the 16 bytes as they are.
const intervalSize = 8 + 1 + 8 + 16

func appendInterval(dst, raw []byte) []byte {
	m, d, u := readInterval(raw).normal()
	dst = binary.BigEndian.AppendUint64(dst, uint64(m)^1<<63)
	dst = append(dst, byte(d+128))
	dst = binary.BigEndian.AppendUint64(dst, uint64(u)^1<<63)
	return append(dst, raw...)
}
