package codec

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"leat/internal/types"
)

// bids makes Nexmark bids of about 220 bytes with their times as text or as milliseconds.
func bids(n int, epoch bool) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	hot := []string{"Google", "Facebook", "Baidu", "Apple"}
	var out []byte
	for i := range n {
		channel, url := hot[r.IntN(4)], "https://www.nexmark.com/abcde/fghij/klmno/item.htm?query=1"
		if r.IntN(2) == 0 {
			c := r.IntN(10_000)
			channel, url = fmt.Sprintf("channel-%d", c), fmt.Sprintf("%s&channel_id=%d", url, c*104_729)
		}
		when := fmt.Sprintf(`"2026-01-01 00:%02d:%02d.%03d"`, i/60_000%60, i/1000%60, i%1000)
		if epoch {
			when = fmt.Sprint(1_767_225_600_000 + i)
		}
		extra := make([]byte, 27+r.IntN(10))
		for j := range extra {
			extra[j] = byte('a' + r.IntN(26))
		}
		out = fmt.Appendf(out, `{"auction":%d,"bidder":%d,"price":%d,"channel":"%s","url":"%s","date_time":%s,"extra":"%s"}`+"\n",
			1000+r.IntN(10_000_000), 1000+r.IntN(1_000_000), 100+r.IntN(100_000_000), channel, url, when, extra)
	}
	return out
}

func bidSchema(t testing.TB) *types.Schema {
	return schemaOf(t, "auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, date_time TIMESTAMP, extra VARCHAR")
}

func BenchmarkDecodeBids(b *testing.B) {
	for name, epoch := range map[string]bool{"text": false, "epoch": true} {
		b.Run(name, func(b *testing.B) {
			const n = 1000
			body, d := bids(n, epoch), NewDecoder(bidSchema(b), Options{})
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				out, err := d.Decode(body, NDJSON)
				if err != nil || out.Batch.Rows != n {
					b.Fatal(out, err)
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(len(body))/n, "B/event")
		})
	}
}

func BenchmarkDecodeSomeOfBids(b *testing.B) {
	const n = 1000
	body, d := bids(n, false), NewDecoder(bidSchema(b), Options{Columns: []int{0, 1, 2, 5}})
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		out, err := d.Decode(body, NDJSON)
		if err != nil || out.Batch.Rows != n {
			b.Fatal(out, err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// readings makes lines like {"ts":1700000000123,"key":"k42","val":7}.
func readings(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var out []byte
	for i := range n {
		out = fmt.Appendf(out, `{"ts":%d,"key":"k%d","val":%d}`+"\n", 1_700_000_000_000+i, r.IntN(1000), r.IntN(100))
	}
	return out
}

func BenchmarkDecodeReadings(b *testing.B) {
	const n = 10_000
	body, d := readings(n), NewDecoder(schemaOf(b, "ts TIMESTAMP, key VARCHAR, val BIGINT"), Options{})
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		out, err := d.Decode(body, NDJSON)
		if err != nil || out.Batch.Rows != n {
			b.Fatal(out, err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
