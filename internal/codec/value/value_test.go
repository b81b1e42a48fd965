package value

import (
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestNumbersAreExact compares with big.Rat: accepted means equal, refused means that the type cannot hold the value.
func TestNumbersAreExact(t *testing.T) {
	least := new(big.Int).Lsh(big.NewInt(-1), 127)
	most := new(big.Int).Sub(new(big.Int).Neg(least), big.NewInt(1))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,42}(\.[0-9]{1,6})?(e[+-]?[0-9]{1,2})?`).Draw(t, "number")
		scale := rapid.IntRange(0, 5).Draw(t, "scale")
		want, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatal(text)
		}
		want.Mul(want, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
		limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)
		got, status := Decimal([]byte(text), 38, scale)
		if fits := want.IsInt() && want.Num().CmpAbs(limit) < 0; fits != (status == Exact) || fits && got.BigInt().Cmp(want.Num()) != 0 {
			t.Fatalf("%s at scale %d: got %s, status %d, want %s", text, scale, got.BigInt(), status, want)
		}
		whole, _ := new(big.Rat).SetString(text)
		huge, status := HugeInt([]byte(text))
		if fits := whole.IsInt() && whole.Num().Cmp(least) >= 0 && whole.Num().Cmp(most) <= 0; fits != (status == Exact) || fits && huge.BigInt().Cmp(whole.Num()) != 0 {
			t.Fatalf("%s: got %s, status %d", text, huge.BigInt(), status)
		}
		n, status := Int([]byte(text))
		if fits := whole.IsInt() && whole.Num().IsInt64(); fits != (status == Exact) || fits && n != whole.Num().Int64() {
			t.Fatalf("%s: got %d, status %d", text, n, status)
		}
		f, status := Float([]byte(text), 64)
		if integer := !strings.ContainsAny(text, ".e"); integer {
			if same := new(big.Rat).SetFloat64(f).Cmp(whole) == 0; same != (status == Exact) && status != Inexact {
				t.Fatalf("%s: got %g, status %d", text, f, status)
			}
		} else if want, _ := strconv.ParseFloat(text, 64); want != f {
			t.Fatalf("%s: got %g, want %g", text, f, want)
		}
	})
}

func TestFloatIntegers(t *testing.T) {
	for text, want := range map[string]Status{"9007199254740992": Exact, "9007199254740993": Inexact, "-9007199254740993": Inexact, "9007199254740994": Exact,
		"18446744073709551616": Exact, "1e400": OutOfRange, "0x10": Malformed, "": Malformed, "1_0": Malformed, "--1": Malformed, "infinity": Malformed} {
		if _, got := Float([]byte(text), 64); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}

func TestTimestampsMatchTime(t *testing.T) {
	layouts := []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999", "2006-01-02T15:04:05-0700", "2006-01-02 15:04", "2006-01-02", "2006-01-02 15:04:05 UTC"}
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "zone"))
		at := time.UnixMicro(rapid.Int64Range(minMicros+day, maxMicros-day).Draw(t, "micros")).In(zone)
		text := at.Format(rapid.SampledFrom(layouts).Draw(t, "layout"))
		var want time.Time
		var err error
		for _, l := range layouts {
			if want, err = time.Parse(l, text); err == nil {
				break
			}
		}
		got, _, ok := Timestamp([]byte(text))
		if err != nil || !ok || got != want.UnixMicro() {
			t.Fatalf("%s: got %d %v, want %d, %v", text, got, ok, want.UnixMicro(), err)
		}
	})
	for _, bad := range []string{"", "2026-13-01", "2026-02-30", "2026-01-01T24:00:00Z", "2026-01-01T10", "2026-01-01T10:00:60Z", "2026-01-01T10:00:00+25:00", "0000-01-01", "2026-01-01x10:00", "10000-01-01"} {
		if _, _, ok := Timestamp([]byte(bad)); ok {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestEpochsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64().Draw(t, "v")
		a, okA := Epoch(strconv.AppendInt(nil, v, 10))
		b, okB := EpochInt(v)
		if okA != okB || okA && a != b {
			t.Fatalf("%d: %d %v as text, %d %v as a number", v, a, okA, b, okB)
		}
	})
}

func TestInterval(t *testing.T) {
	for text, ok := range map[string]bool{"00:00:00": true, "-1 days": true, "1 week": true, "P1W": true, "PT0.5S": true, "1.5 days": false, "": false, "P": false,
		"1": false, "1 day 2": false, "01:02:03 1 day": false, "9999999999 years": false, "P1X": false, "PT": false} {
		if _, got := Interval([]byte(text)); got != ok {
			t.Errorf("%q: accepted is %v", text, got)
		}
	}
}
