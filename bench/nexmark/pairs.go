package nexmark

import (
	"strconv"
)

// Pairs makes rows of a key and a value: {"ts":1700000000123,"key":"k42","val":7}, ts in ms since 1970, about 43 bytes a line.
type Pairs struct {
	// Base is the ts of row 0.
	Base int64
	// Rate is the number of rows per second of event time.
	Rate float64
	// Keys is the number of keys, Values that of values, both drawn evenly.
	Keys, Values int64
	Seed         uint64
}

// Append appends row n as one JSON object without a line end.
func (p Pairs) Append(b []byte, n uint64) []byte {
	d := newDraw(p.Seed, n)
	b = strconv.AppendInt(append(b, `{"ts":`...), p.Base+int64(float64(n)*1000/p.Rate), 10)
	b = strconv.AppendInt(append(b, `,"key":"k`...), d.below(p.Keys), 10)
	b = strconv.AppendInt(append(b, `","val":`...), d.below(p.Values), 10)
	return append(b, '}')
}
