package pgwire

import (
	"bytes"
	"encoding/json"
	"math"

	"leat/internal/pgwire/pgtype"
)

// arrayText cuts the text of an array, {1,NULL,"a b"}, into its elements; nil is NULL. ok is false for what is none.
func arrayText(data []byte) (items [][]byte, ok bool, err error) {
	s := bytes.TrimSpace(data)
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return nil, false, nil
	}
	if s = bytes.TrimSpace(s[1 : len(s)-1]); len(s) == 0 {
		return nil, true, nil
	}
	for i := 0; i <= len(s); i++ {
		item, quoted := []byte{}, false
		for ; i < len(s) && s[i] != ','; i++ {
			switch {
			case s[i] == '"':
				quoted = true
				for i++; i < len(s) && s[i] != '"'; i++ {
					if s[i] == '\\' {
						i++
					}
					if i < len(s) {
						item = append(item, s[i])
					}
				}
				if i >= len(s) {
					return nil, false, nil
				}
			case s[i] == '{' || s[i] == '}':
				return nil, true, errDimensions
			case s[i] == '\\' && i+1 < len(s):
				i++
				item = append(item, s[i])
			case !quoted || s[i] != ' ':
				item = append(item, s[i])
			}
		}
		if !quoted {
			if item = bytes.TrimSpace(item); len(item) == 0 {
				return nil, false, nil
			}
			if equalFold(item, "null") {
				item = nil
			}
		}
		items = append(items, item)
	}
	return items, true, nil
}

// listText turns the text of an array into JSON.
func listText(data []byte, element uint32) (any, error) {
	items, ok, err := arrayText(data)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, invalidText(pgtype.Array(element), data)
	}
	return list(items, element, textFormat)
}

// list spells elements as a JSON array, which is how lists are bound.
func list(items [][]byte, element uint32, format int16) (any, error) {
	out := []byte{'['}
	for i, item := range items {
		v, err := decode(item, element, format)
		if err != nil {
			return nil, err
		}
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			v, _ = plainText(v)
		}
		if raw, ok := v.([]byte); ok {
			v = blobText(raw)
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, text...)
	}
	return string(append(out, ']')), nil
}

// arrayBinary cuts a binary array of one dimension into its elements; nil is NULL.
func arrayBinary(data []byte, element uint32) (items [][]byte, err error) {
	f := fields{b: data}
	dimensions, _, of := f.int32(), f.int32(), uint32(f.int32())
	if dimensions > 1 {
		return nil, errDimensions
	}
	if dimensions == 1 {
		n := int(f.int32())
		f.int32() // the index of the first element
		if n < 0 || 4*n > len(f.b) {
			return nil, invalidBinary(pgtype.Array(element))
		}
		for range n {
			var item []byte
			if size := f.int32(); size >= 0 {
				if item = f.take(int(size)); item == nil {
					item = []byte{}
				}
			}
			items = append(items, item)
		}
	}
	if f.bad || dimensions < 0 || len(f.b) > 0 || of != element {
		return nil, invalidBinary(pgtype.Array(element))
	}
	return items, nil
}

// listBinary turns a binary array into JSON.
func listBinary(data []byte, element uint32) (any, error) {
	items, err := arrayBinary(data, element)
	if err != nil {
		return nil, err
	}
	return list(items, element, binaryFormat)
}
