// Command generate writes the files of the Nexmark benchmark, the same ones each time.
//
//	go run ./bench/nexmark/generate -dir DIR -events 5000000   # person.ndjson, auction.ndjson, bid.ndjson
//	go run ./bench/nexmark/generate -dir DIR -pairs 3000000    # pairs.ndjson: {"ts":1700000000123,"key":"k42","val":7}
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"leat/bench/nexmark"
)

func main() {
	dir := flag.String("dir", ".", "where to write")
	events := flag.Uint64("events", 0, "persons, auctions and bids to make, together")
	rate := flag.Float64("rate", 10_000, "events or pairs per second of event time")
	base := flag.String("base", "2015-07-15T00:00:00Z", "event time of the first event")
	seed := flag.Uint64("seed", 1, "changes all random numbers")
	pairs := flag.Uint64("pairs", 0, "pairs of a key and a value to make")
	keys := flag.Int64("keys", 1000, "keys of the pairs")
	flag.Parse()
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		log.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, *base)
	if err != nil {
		log.Fatal(err)
	}
	begin := time.Now()
	if *events > 0 {
		if err := (nexmark.Generator{Base: at, Rate: *rate, Seed: *seed}).WriteFiles(*dir, *events); err != nil {
			log.Fatal(err)
		}
	}
	if *pairs > 0 {
		p := nexmark.Pairs{Base: 1_700_000_000_000, Rate: *rate, Keys: *keys, Values: 100, Seed: *seed}
		if err := p.WriteFile(*dir, *pairs); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("%d rows in %s\n", *events+*pairs, time.Since(begin).Round(time.Millisecond))
}
