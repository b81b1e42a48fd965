// Package nexmark generates the events of the Nexmark benchmark (Tucker et al., "NEXMark: A Benchmark for Queries over Data Streams"), with
// the constants of the Flink implementation (nexmark/nexmark, Apache-2.0). Each event's random numbers come from its own number, so any
// range of events can be made again, in any order. Where other ports differ: numbers begin at 0, bidders are lifted by 1000 once, names,
// cities and states are lower-case and columns named as RisingWave does.
package nexmark

import (
	"fmt"
	"time"
)

const (
	firstPerson, firstAuction = 1000, 1000
	// perEpoch events are 1 person, 3 auctions and 46 bids, in this order.
	perEpoch, bidsPerEpoch  = 50, 46
	activePeople, inFlight  = 1000, 100
	personBytes, auctionLen = 200, 500
	bidBytes                = 100
	hotRatio                = 100
	lead                    = 10
)

// Generator makes events. The zero value is not usable.
type Generator struct {
	// Base is the event time of event 0, read to the millisecond.
	Base time.Time
	// Rate is the number of events per second of event time.
	Rate float64
	// Seed changes all random numbers.
	Seed uint64
}

// Kind is the type of an event.
type Kind uint8

const (
	Person Kind = iota
	Auction
	Bid
)

// String is the name of the stream that the event belongs to.
func (k Kind) String() string { return [...]string{"person", "auction", "bid"}[k] }

// KindOf returns the type of event n.
func KindOf(n uint64) Kind {
	switch o := n % perEpoch; {
	case o == 0:
		return Person
	case o < 4:
		return Auction
	}
	return Bid
}

// Counts returns how many persons, auctions and bids the first n events are.
func Counts(n uint64) (persons, auctions, bids uint64) {
	epochs, rest := n/perEpoch, n%perEpoch
	persons = epochs + min(rest, 1)
	auctions = epochs*3 + min(max(rest, 1)-1, 3)
	return persons, auctions, n - persons - auctions
}

// BidNumber returns the number of the i-th bid among all events.
func BidNumber(i uint64) uint64 { return i/bidsPerEpoch*perEpoch + 4 + i%bidsPerEpoch }

// Append appends event n as one JSON object without a line end: a bid has about 250 bytes, a person 320, an auction 650.
func (g Generator) Append(b []byte, n uint64) []byte {
	switch KindOf(n) {
	case Person:
		return g.appendPerson(b, n)
	case Auction:
		return g.appendAuction(b, n)
	}
	return g.appendBid(b, n)
}

// AppendBid appends the i-th bid as one JSON object without a line end, about 250 bytes.
func (g Generator) AppendBid(b []byte, i uint64) []byte { return g.appendBid(b, BidNumber(i)) }

// Bids returns n bids from the i-th on, one a line.
func (g Generator) Bids(i uint64, n int) []byte {
	b := make([]byte, 0, n*260)
	for k := range uint64(n) {
		b = append(g.AppendBid(b, i+k), '\n')
	}
	return b
}

// String names the generator's settings for a benchmark's report.
func (g Generator) String() string {
	return fmt.Sprintf("nexmark, %g events/s of event time, seed %d", g.Rate, g.Seed)
}

// millis is the event time of event n in ms since 1970.
func (g Generator) millis(n uint64) int64 {
	return g.Base.UnixMilli() + int64(float64(n)*1e6/g.Rate)/1000
}

// lastPerson and lastAuction number the newest person and auction at event n, from 0.
func lastPerson(n uint64) int64 { return int64(n / perEpoch) }

func lastAuction(n uint64) int64 {
	epoch, offset := int64(n/perEpoch), int64(n%perEpoch)
	switch {
	case offset < 1:
		return (epoch-1)*3 + 2
	case offset >= 4:
		return epoch*3 + 2
	}
	return epoch*3 + offset - 1
}

// somePerson draws one of the active people, or one of the few who are still to come.
func somePerson(d *draw, n uint64) int64 {
	people := lastPerson(n) + 1
	active := min(people, activePeople)
	return people - active + d.below(active+lead)
}

// someAuction draws one of the auctions in flight, or one of the few that are still to come.
func someAuction(d *draw, n uint64) int64 {
	low := max(lastAuction(n)-inFlight, 0)
	return low + d.below(lastAuction(n)-low+1+lead)
}
