package codec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"leat/internal/types"
)

// fastTypes are those with a short way in value.
var fastTypes = []types.Type{types.Of(types.Varchar), types.Of(types.BigInt), types.Of(types.Timestamp), types.Of(types.TimestampTZ),
	types.Of(types.Double), types.Of(types.Integer), types.Of(types.SmallInt), types.Of(types.TinyInt)}

// sameAsGeneral reads the value at b[i] by value, the last column state given, and by general: both must come to the same.
func sameAsGeneral(t *testing.T, c *column, b []byte, i int) {
	t.Helper()
	if i >= len(b) || b[i] <= ' ' {
		return
	}
	s := &state{b: b}
	n, size := c.n, len(c.data)
	end, f := s.value(c, i)
	g := newColumn(c.typ)
	wantEnd, want := s.general(g, i)
	if (f == nil) != (want == nil) || f != nil && f.msg != want.msg || f == nil && end != wantEnd {
		t.Fatalf("%s %q: ends at %d with %v, want %d with %v", c.typ, b[i:], end, f, wantEnd, want)
	}
	if f == nil && (!bytes.Equal(c.data[size:], g.data) || c.isNull(n) != g.isNull(0) || c.n != n+1) {
		t.Fatalf("%s %q: %x, want %x", c.typ, b[i:wantEnd], c.data[size:], g.data)
	}
	if g.wide && !c.wide {
		t.Fatalf("%s %q is wide", c.typ, b[i:wantEnd])
	}
	c.wide = false
	c.truncate(n)
	if f == nil {
		_, _ = s.value(c, i) // the next value finds what this one left: a date, room
	}
}

func FuzzValue(f *testing.F) {
	for _, v := range values(rand.New(rand.NewPCG(1, 1)), 200) {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, typ := range fastTypes {
			c := newColumn(typ)
			_, _ = (&state{b: []byte(`"2026-02-28 01:02:03" `)}).value(c, 0)
			if typ.Kind == types.BigInt {
				c = newColumn(typ)
			}
			sameAsGeneral(t, c, b, 0)
			sameAsGeneral(t, c, append(append([]byte(nil), b...), "                              "...), 0)
		}
	})
}

// values makes JSON values and things that look like ones.
func values(r *rand.Rand, n int) []string {
	digits := func(most int) string {
		var out strings.Builder
		for range r.IntN(most + 1) {
			out.WriteByte(byte('0' + r.IntN(10)))
		}
		return out.String()
	}
	var out []string
	for range n {
		var v string
		switch r.IntN(6) {
		case 0:
			v = []string{"", "-", "0", "-0"}[r.IntN(4)] + digits(22) + []string{"", ".", "." + digits(10)}[r.IntN(3)] + []string{"", ".5", "e2", "E-1", "x", "."}[r.IntN(6)]
		case 1:
			date := "1969-02-28"
			if r.IntN(3) == 0 {
				date = fmt.Sprintf("2026-%02d-%02d", r.IntN(13), r.IntN(32))
			}
			v = fmt.Sprintf(`"%s%c%02d:%02d:%02d`, date, "T tx"[r.IntN(4)], r.IntN(25), r.IntN(61), r.IntN(61)) +
				[]string{"", ".", "." + digits(9), ".12a", ":", "5"}[r.IntN(6)] + []string{"", "Z", "+01:00", "-0130", " UTC"}[r.IntN(5)] + `"`
		case 4:
			v = []string{"", "-"}[r.IntN(2)] + fmt.Sprint(r.IntN(200_000)) + []string{"", "." + digits(8)}[r.IntN(2)]
		case 2:
			v = `"2026-02-28 ` + digits(6) + `"`
		case 3:
			v = []string{"null", "true", "nul", "{}", "[1]", `"`, `""`, `"a`, `"2026-02-28"`}[r.IntN(9)]
		default:
			b := make([]byte, r.IntN(40))
			for i := range b {
				b[i] = byte(' ' + r.IntN(95))
				if r.IntN(30) == 0 {
					b[i] = byte(r.IntN(256))
				}
			}
			v = `"` + string(b) + `"`
		}
		out = append(out, v)
	}
	return out
}

// TestFast reads many values one after the other into one column, so that each finds what the one before left.
func TestFast(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, seed))
	defer func() {
		if t.Failed() {
			t.Log("seed", seed)
		}
	}()
	for _, typ := range fastTypes {
		c := newColumn(typ)
		for _, v := range values(r, 5_000) {
			for _, tail := range []string{"", ",", `,"key":1234567890123456789}`} {
				sameAsGeneral(t, c, []byte(v+tail), 0)
			}
		}
	}
}
