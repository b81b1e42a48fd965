package codec

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// randomRecord makes a record that mostly has the keys of the one before, in their order, and now and then something unusual.
func randomRecord(r *rand.Rand) string {
	keys := []string{`"ts"`, `"key"`, `"val"`, `"a long key of more than sixteen"`, `"d"`, `"o"`}
	vals := []string{fmt.Sprintf(`"2026-02-28T01:02:%02d.%03dZ"`, r.IntN(60), r.IntN(1000)), fmt.Sprintf(`"k%d"`, r.IntN(1_000_000)),
		fmt.Sprint(r.IntN(1 << r.IntN(60))), `"some text"`, fmt.Sprint(r.Float64()), fmt.Sprintf(`{"x":%d,"y":"z"}`, r.IntN(10))}
	odd := values(r, 1)[0]
	colon, comma := ":", ","
	switch i := r.IntN(len(keys)); r.IntN(16) {
	case 0:
		keys, vals = slices.Delete(keys, i, i+1), slices.Delete(vals, i, i+1)
	case 1:
		j := r.IntN(len(keys))
		keys[i], keys[j], vals[i], vals[j] = keys[j], keys[i], vals[j], vals[i]
	case 2:
		vals[i] = odd
	case 3:
		vals[i] = "null"
	case 4:
		keys, vals = slices.Insert(keys, i, `"new"`), slices.Insert(vals, i, `[1,{"a":2}]`)
	case 5:
		keys[i] = keys[r.IntN(len(keys))]
	case 6:
		colon, comma = " : ", " , "
	case 7:
		keys[1] = `"k\u0065y"`
	case 8:
		vals[1] = `"naïve \n\u00e9"`
	}
	var out strings.Builder
	for i := range keys {
		out.WriteString([]string{"{", comma}[min(i, 1)] + keys[i] + colon + vals[i])
	}
	line := out.String() + "}"
	if r.IntN(40) == 0 {
		line = line[:r.IntN(len(line)-1)+1]
	}
	return strings.NewReplacer("\n", "", "\r", "").Replace(line)
}

// printDecoded is everything of a result that a caller can see of its records.
func printDecoded(d *Decoded, base int) (out []string) {
	for i := range d.Batch.Rows {
		out = append(out, fmt.Sprint(base+d.Record(i), " ", row(d.Batch, i)))
	}
	for _, r := range d.Rejects {
		out = append(out, fmt.Sprintf("%d rejected: %v, %s, %s", base+r.Record, r.Err, r.Err.Hint, r.Raw))
	}
	for _, u := range d.Unknown {
		out = append(out, "unknown "+string(u))
	}
	return out
}

// TestHistory checks that what a record becomes does not depend on the ones before it, though they are what reading it is predicted from:
// a body gives what its lines give one by one.
func TestHistory(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, seed))
	s := schemaOf(t, `ts TIMESTAMP, "key" VARCHAR, val BIGINT, "a long key of more than sixteen" VARCHAR, d DOUBLE, o STRUCT(x INTEGER, y VARCHAR)`)
	for _, opt := range []Options{{}, {Closed: true}, {Columns: []int{0, 2}}, {Columns: []int{1, 4, 5}, Key: []int32{s.Columns[1].ID}}} {
		for range 8 {
			var lines, want []string
			for len(lines) < 200 {
				line := randomRecord(r)
				// An odd value may close the object, and its line then holds two records.
				if d := decode(t, s, opt, NDJSON, line+"\n"); d.Batch.Rows+len(d.Rejects) <= 1 {
					lines = append(lines, line)
				}
			}
			for i := range lines {
				// A broken record's message may speak of what follows it.
				alone := strings.Join(lines[i:min(len(lines), i+3)], "\n") + "\n"
				for _, p := range printDecoded(decode(t, s, opt, NDJSON, alone), i) {
					if strings.HasPrefix(p, fmt.Sprint(i, " ")) || p == "unknown "+lines[i] {
						want = append(want, p)
					}
				}
			}
			got := printDecoded(decode(t, s, opt, NDJSON, strings.Join(lines, "\n")+"\n"), 0)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				for i := range min(len(got), len(want)) {
					if got[i] != want[i] {
						t.Fatalf("seed %d, %+v: got\n%s\nwant\n%s", seed, opt, got[i], want[i])
					}
				}
				t.Fatalf("seed %d: %d, want %d", seed, len(got), len(want))
			}
		}
	}
}
