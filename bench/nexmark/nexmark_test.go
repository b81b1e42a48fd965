package nexmark

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func generator() Generator {
	return Generator{Base: time.Date(2015, 7, 15, 0, 0, 0, 0, time.UTC), Rate: 10_000, Seed: 1}
}

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

// TestEventsAreConsistent reads 100,000 events: their numbers are without gaps, what they refer to is near, times rise.
func TestEventsAreConsistent(t *testing.T) {
	g, last, hot := generator(), "", 0
	var counts [3]uint64
	for n := range uint64(100_000) {
		var e struct {
			ID, Seller, Category, Reserve, Auction, Bidder, Price int64
			InitialBid                                            int64  `json:"initial_bid"`
			At                                                    string `json:"date_time"`
			Expires, Extra, State, Channel                        string
		}
		line := g.Append(nil, n)
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		people, auctions := lastPerson(n)+1000, lastAuction(n)+1000
		ok, kind := false, KindOf(n)
		switch kind {
		case Person:
			ok = e.ID == int64(counts[kind])+1000 && e.ID == people && len(e.State) == 2
		case Auction:
			ok = e.ID == int64(counts[kind])+1000 && e.ID == auctions && e.Seller >= people-1000-100 && e.Seller < people+11 &&
				e.Category >= 10 && e.Category < 15 && e.Reserve > e.InitialBid && e.Expires > e.At
		case Bid:
			ok = e.Auction >= auctions-201 && e.Auction < auctions+11 && e.Bidder < people+102 && e.Bidder >= 1000
			if e.Channel == "Google" || e.Channel == "Apple" || e.Channel == "Baidu" || e.Channel == "Facebook" {
				hot++
			}
		}
		if !ok || e.At < last {
			t.Fatalf("event %d: %s", n, line)
		}
		last = e.At
		counts[kind]++
	}
	if p, a, b := Counts(100_000); counts != [3]uint64{p, a, b} || p != 2000 || a != 6000 {
		t.Errorf("%v events, Counts says %d %d %d", counts, p, a, b)
	}
	if last != "2015-07-15T00:00:09.999" {
		t.Errorf("the last event is at %s", last)
	}
	if hot < 45_000 || hot > 47_000 {
		t.Errorf("%d of 92000 bids come from a hot channel", hot)
	}
}

func TestCounts(t *testing.T) {
	var want [3]uint64
	for n := range uint64(200) {
		if p, a, b := Counts(n); want != [3]uint64{p, a, b} {
			t.Fatalf("%d events: %d %d %d, want %v", n, p, a, b, want)
		}
		want[KindOf(n)]++
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	if err := generator().WriteFiles(dir, 1000); err != nil {
		t.Fatal(err)
	}
	if err := (Pairs{Base: 1_700_000_000_000, Rate: 1000, Keys: 100, Values: 10}).WriteFile(dir, 500); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"person": 20, "auction": 60, "bid": 920, "pairs": 500} {
		f, err := os.Open(filepath.Join(dir, name+".ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for s := bufio.NewScanner(f); s.Scan(); lines++ {
			if !json.Valid(s.Bytes()) {
				t.Fatalf("%s: %s", name, s.Bytes())
			}
		}
		f.Close()
		if lines != want {
			t.Errorf("%s has %d lines", name, lines)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); left != nil {
		t.Errorf("left: %v", left)
	}
}

func BenchmarkBids(b *testing.B) {
	g := Generator{Base: time.Unix(1_700_000_000, 0), Rate: 10_000, Seed: 1}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.SetBytes(int64(len(g.Bids(uint64(i)*1000, 1000))))
	}
}

func BenchmarkEvents(b *testing.B) {
	g, buf, n := generator(), []byte(nil), uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		buf = g.Append(buf[:0], n)
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mevents/s")
}
