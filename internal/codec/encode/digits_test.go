package encode

import (
	"context"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"pgregory.net/rapid"

	"leat/internal/types"
)

func TestIntegersAsStrconv(t *testing.T) {
	check := func(v int64) {
		if got, want := string(appendInt(nil, v)), strconv.FormatInt(v, 10); got != want {
			t.Fatalf("%s is written as %s", want, got)
		}
		if got, want := string(appendUint(nil, uint64(v))), strconv.FormatUint(uint64(v), 10); got != want {
			t.Fatalf("%s is written as %s", want, got)
		}
	}
	for n := range 20 {
		for d := range 3 {
			check(int64(tens(n)) + int64(d) - 1)
			check(-int64(tens(n)) + int64(d) - 1)
		}
	}
	for _, v := range []int64{0, math.MinInt64, math.MaxInt64} {
		check(v)
	}
	rapid.Check(t, func(t *rapid.T) { check(rapid.Int64().Draw(t, "v")) })
}

func TestDecimalsAsBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hi := rapid.Int64().Draw(t, "hi") >> rapid.IntRange(0, 63).Draw(t, "by")
		n := decimal128.New(hi, rapid.Uint64().Draw(t, "lo"))
		scale := rapid.Int32Range(0, 38).Draw(t, "scale")
		digits := new(big.Int).Abs(n.BigInt()).String()
		want := digits
		if scale > 0 {
			digits = strings.Repeat("0", max(0, int(scale)+1-len(digits))) + digits
			want = digits[:len(digits)-int(scale)] + "." + digits[len(digits)-int(scale):]
		}
		if n.Sign() < 0 {
			want = "-" + want
		}
		if got := string(appendDecimal(nil, n, scale)); got != want {
			t.Fatalf("%s is written as %s", want, got)
		}
	})
}

func TestTimesAsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Int64Range(-62135596800e6, 253402300799e6), 1, 4).Draw(t, "us")
		us := make([]arrow.Timestamp, len(v))
		for i := range v {
			us[i] = arrow.Timestamp(v[i])
		}
		text := timestamps(us, true)
		for i := range us {
			want := time.UnixMicro(v[i]).UTC().Format("2006-01-02T15:04:05.000000Z")
			if got := string(text(nil, i)); got != want {
				t.Fatalf("%s is written as %s", want, got)
			}
		}
	})
}

// TestPlainIsPlain: of what plain steps over, nothing needs an escape, and it steps over whole words that need none.
func TestPlainIsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "s"))
		clean := strings.IndexFunc(s+"\x00", func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r >= 0x80 })
		if n := plain(s); n > clean || n < clean/8*8 {
			t.Fatalf("%d of the %d plain bytes of %q", n, clean, s)
		}
	})
}

func TestPowersOfTen(t *testing.T) {
	for n := range 20 {
		if hi, _ := bits.Mul64(tens(n), 1); hi != 0 || width(tens(n)) != n+1 || n > 0 && width(tens(n)-1) != n {
			t.Errorf("10^%d has %d digits", n, width(tens(n)))
		}
	}
}

func BenchmarkBids(b *testing.B) {
	const n = 10_000
	r := result(func(c int, f array.Builder) {
		for i := range n {
			switch f := f.(type) {
			case *array.Int64Builder:
				f.Append(int64(i)*17 + int64(c))
			case *array.Decimal128Builder:
				f.Append(decimal128.FromI64(int64(i) * 7919))
			case *array.StringBuilder:
				f.Append("https://www.nexmark.com/abc/def/item.htm?query=1")
			case *array.TimestampBuilder:
				f.Append(arrow.Timestamp(1_700_000_000_000_000 + i*1_000_003))
			}
		}
	}, types.Of(types.BigInt), types.Of(types.BigInt), types.DecimalOf(22, 3), types.Of(types.Timestamp), types.Of(types.Varchar))
	b.ReportAllocs()
	for b.Loop() {
		var w count
		if err := writeNDJSON(context.Background(), &w, &rows{r.columns, r.records}, Options{}); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(w))
	}
}
