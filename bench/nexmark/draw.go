package nexmark

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"time"
)

// draw gives the random numbers of one event in order.
type draw struct{ pcg rand.PCG }

func newDraw(seed, n uint64) (d draw) {
	d.pcg.Seed(seed, n)
	return d
}

// below draws from [0, n).
func (d *draw) below(n int64) int64 {
	hi, _ := bits.Mul64(d.pcg.Uint64(), uint64(n))
	return int64(hi)
}

// price draws cents, log-uniform from 100 to 100,000,000.
func (d *draw) price() int64 {
	u := float64(d.pcg.Uint64()>>11) / (1 << 53)
	return int64(math.Round(100 * math.Exp(math.Ln10*6*u)))
}

// letters appends n of a..z.
func (d *draw) letters(b []byte, n int64) []byte {
	for n > 0 {
		u := d.pcg.Uint64()
		for range min(n, 12) { // 12 letters take 57 of the 64 bits
			var hi uint64
			hi, u = bits.Mul64(u, 26)
			b = append(b, 'a'+byte(hi))
		}
		n -= 12
	}
	return b
}

// text appends 3 to longest-1 letters, one in 13 of them a separator; spaces at the ends are cut off.
func (d *draw) text(b []byte, longest int64, separator byte) []byte {
	from := len(b)
	var u uint64
	for i := range 3 + d.below(longest-3) {
		if i%7 == 0 { // 7 characters take 59 of the 64 bits
			u = d.pcg.Uint64()
		}
		var hi uint64
		if hi, u = bits.Mul64(u, 13); hi == 0 {
			b = append(b, separator)
			continue
		}
		hi, u = bits.Mul64(u, 26)
		b = append(b, 'a'+byte(hi))
	}
	for len(b) > from && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	lead := from
	for lead < len(b) && b[lead] == ' ' {
		lead++
	}
	return append(b[:from], b[lead:]...)
}

// filler appends what makes an event of now bytes about size long.
func (d *draw) filler(b []byte, now, size int) []byte {
	if now > size {
		return b
	}
	rest := int64(size - now)
	delta := int64(math.Round(0.2 * float64(rest)))
	n := rest - delta
	if delta > 0 {
		n += d.below(2 * delta)
	}
	return d.letters(b, n)
}

// appendTime appends ms since 1970 as 2015-07-15T00:00:00.123.
func appendTime(b []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(b, "2006-01-02T15:04:05.000")
}
