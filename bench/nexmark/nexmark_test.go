package nexmark

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

func TestBidsAreDeterministicAndWellFormed(t *testing.T) {
	g := Generator{Base: time.Unix(1_700_000_000, 0), Rate: 10_000, Seed: 1}
	all := g.Bids(0, 1000)
	if got := append(g.Bids(0, 400), g.Bids(400, 600)...); !bytes.Equal(got, all) {
		t.Fatal("bids depend on how they are asked for")
	}
	for _, line := range bytes.Split(bytes.TrimSpace(all), []byte("\n")) {
		var bid struct {
			Auction, Bidder, Price int64
			Channel, URL, Extra    string
		}
		if err := json.Unmarshal(line, &bid); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if bid.Auction < 1000 || bid.Bidder < 1000 || bid.Price < 100 || bid.Price > 100_000_000 {
			t.Fatalf("out of range: %s", line)
		}
	}
	if size := len(all) / 1000; size < 200 || size > 260 {
		t.Errorf("a bid has %d bytes on average", size)
	}
}

func BenchmarkBids(b *testing.B) {
	g := Generator{Base: time.Unix(1_700_000_000, 0), Rate: 10_000, Seed: 1}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.SetBytes(int64(len(g.Bids(uint64(i)*1000, 1000))))
	}
}
