package zset

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// randomKeys makes n keys: of few or many parts, some the same, some that begin as others do.
func randomKeys(rng *rand.Rand, n int) (keys []byte, ends []int) {
	alphabet, longest := 1+rng.IntN(256), 1+rng.IntN(40)
	var shared []byte
	for range n {
		if rng.IntN(20) == 0 {
			shared = make([]byte, rng.IntN(24))
		}
		keys = append(keys, shared...)
		for range rng.IntN(longest) {
			keys = append(keys, byte(rng.IntN(alphabet)))
		}
		ends = append(ends, len(keys))
	}
	return keys, ends
}

func TestKeySorter(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	var o KeySorter
	for range 300 {
		keys, ends := randomKeys(rng, rng.IntN(1000))
		key := func(i int32) []byte {
			if i == 0 {
				return keys[:ends[0]]
			}
			return keys[ends[i-1]:ends[i]]
		}
		order := o.Sort(keys, ends)
		seen := map[int32]bool{}
		for i, p := range order {
			seen[p.Index] = true
			if i > 0 && bytes.Compare(key(order[i-1].Index), key(p.Index)) > 0 {
				t.Fatalf("seed %d: %x comes before %x", seed, key(order[i-1].Index), key(p.Index))
			}
		}
		if len(order) != len(ends) || len(seen) != len(ends) {
			t.Fatalf("seed %d: %d of %d keys", seed, len(seen), len(ends))
		}
	}
}

func BenchmarkKeySorter(b *testing.B) {
	for _, parts := range []int{1, 3} {
		b.Run(fmt.Sprintf("%d_parts", parts), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			var keys []byte
			var ends []int
			const n = 8192
			for range n {
				for p := range parts {
					keys = append(keys, 1)
					x := rng.Uint64() >> 37
					if p < parts-1 {
						x %= 6 // windows
					}
					keys = AppendTime(keys, int64(x))
				}
				ends = append(ends, len(keys))
			}
			var o KeySorter
			for b.Loop() {
				o.Sort(keys, ends)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/key")
		})
	}
}
