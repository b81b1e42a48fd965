package zset

import (
	"encoding/binary"

	"leat/internal/types"
)

// LIST, STRUCT and MAP lie in a Bytes column packed by the key codec of their elements, ascending, NULLS LAST:
//
//	LIST    01 element ... 00
//	MAP     01 key value ... 00
//	STRUCT  field field ...
//
// with each element, key, value and field as a key's column. So packed values end by themselves and order as bytes in DuckDB's order.
const (
	packEnd  byte = 0
	packItem byte = 1
)

// skipPacked returns what follows a packed value of type t. flip is 0xff where the bytes are inverted.
func skipPacked(t types.Type, src []byte, flip byte) []byte {
	switch t.Kind {
	case types.Struct:
		for i := range t.Fields {
			src = skipElement(t.Fields[i].Type, src, flip)
		}
		return src
	case types.List:
		for src[0]^flip == packItem {
			src = skipElement(*t.Elem, src[1:], flip)
		}
	case types.Map:
		for src[0]^flip == packItem {
			src = skipElement(*t.Elem, skipElement(*t.Key, src[1:], flip), flip)
		}
	}
	return src[1:]
}

func skipElement(t types.Type, src []byte, flip byte) []byte {
	if src[0]^flip != keyValue {
		return src[1:]
	}
	c := keyColumn{typ: t, form: keyFormOf(t), flip: flip}
	return src[1+c.size(src[1:]):]
}

// elements calls visit with each part of a packed value in turn, its first byte included: the fields of a STRUCT, the elements of a LIST,
// keys and values of a MAP.
func elements(t types.Type, src []byte, visit func(t types.Type, encoded []byte)) {
	one := func(t types.Type) {
		rest := skipElement(t, src, 0)
		visit(t, src[:len(src)-len(rest)])
		src = rest
	}
	if t.Kind == types.Struct {
		for i := range t.Fields {
			one(t.Fields[i].Type)
		}
		return
	}
	for src[0] == packItem {
		src = src[1:]
		if t.Kind == types.Map {
			one(*t.Key)
		}
		one(*t.Elem)
	}
}

// normalizePacked appends the packed value p of type t with all numbers and intervals in it normal.
func normalizePacked(dst []byte, t types.Type, p []byte) []byte {
	perItem := 1
	if t.Kind == types.Map {
		perItem = 2
	}
	i := 0
	elements(t, p, func(t2 types.Type, e []byte) {
		if t.Kind != types.Struct && i%perItem == 0 {
			dst = append(dst, packItem)
		}
		i++
		dst = normalizeElement(dst, t2, e)
	})
	if t.Kind != types.Struct {
		dst = append(dst, packEnd)
	}
	return dst
}

func normalizeElement(dst []byte, t types.Type, e []byte) []byte {
	if e[0] != keyValue || Canonical(t) {
		return append(dst, e...)
	}
	dst = append(dst, keyValue)
	switch keyFormOf(t) {
	case keyFloat:
		x := normalFloat(fromOrderedFloat(binary.BigEndian.Uint64(e[1:])))
		return binary.BigEndian.AppendUint64(dst, orderedFloat(x))
	case keyInterval:
		var raw [16]byte
		return appendInterval(dst, readInterval(e[len(e)-16:]).Normal().Append(raw[:0]))
	}
	return normalizePacked(dst, t, e[1:])
}

// PackList appends the packed LIST whose elements are rows [from, to) of elem.
func PackList(dst []byte, elem *Vec, from, to int) []byte {
	c := keyColumn{typ: elem.Type, form: keyFormOf(elem.Type), null: keyNullLast}
	for i := from; i < to; i++ {
		dst = c.append(append(dst, packItem), elem, i)
	}
	return append(dst, packEnd)
}

// PackMap appends the packed MAP whose entries are rows [from, to) of keys and values.
func PackMap(dst []byte, keys, values *Vec, from, to int) []byte {
	kc := keyColumn{typ: keys.Type, form: keyFormOf(keys.Type), null: keyNullLast}
	vc := keyColumn{typ: values.Type, form: keyFormOf(values.Type), null: keyNullLast}
	for i := from; i < to; i++ {
		dst = vc.append(kc.append(append(dst, packItem), keys, i), values, i)
	}
	return append(dst, packEnd)
}

// PackStruct appends the packed STRUCT whose fields are row row of fields.
func PackStruct(dst []byte, fields []*Vec, row int) []byte {
	for _, v := range fields {
		c := keyColumn{typ: v.Type, form: keyFormOf(v.Type), null: keyNullLast}
		dst = c.append(dst, v, row)
	}
	return dst
}

// Unpack takes a column of LISTs, STRUCTs or MAPs apart: parts are the column of elements, those of the fields, or those of keys and
// values. Rows [off[i], off[i+1]) of the parts belong to value i of a LIST or MAP (none where it is NULL); for a STRUCT off is nil, and row
// i of each part belongs to value i (NULL where it is).
func Unpack(v *Vec) (parts []*Vec, off []int32) {
	ts := partTypes(v.Type)
	b := NewBuilder(ts)
	if v.Type.Kind != types.Struct {
		off = make([]int32, 1, v.Len+1)
	}
	for i := range v.Len {
		if !v.Null(i) {
			at := 0
			elements(v.Type, v.Bytes(i), func(t types.Type, e []byte) {
				c := keyColumn{typ: t, form: keyFormOf(t)}
				c.decode(e, &b.cols[at])
				if at++; at == len(ts) {
					at = 0
					b.n++
				}
			})
		} else if off == nil {
			b.AppendNulls(0, len(ts))
			b.n++
		}
		if off != nil {
			off = append(off, int32(b.n))
		}
	}
	for i := range b.cols {
		p := b.cols[i].finish()
		parts = append(parts, &p)
	}
	return parts, off
}

func partTypes(t types.Type) []types.Type {
	switch t.Kind {
	case types.List:
		return []types.Type{*t.Elem}
	case types.Map:
		return []types.Type{*t.Key, *t.Elem}
	}
	ts := make([]types.Type, len(t.Fields))
	for i := range ts {
		ts[i] = t.Fields[i].Type
	}
	return ts
}
