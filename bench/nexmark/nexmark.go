// Package nexmark generates the bids of the Nexmark benchmark (Tucker et al., "NEXMark: A Benchmark for Queries over Data
// Streams"), with the constants of the Flink implementation (nexmark/nexmark, Apache-2.0). Each event's random numbers come from
// its own number, so any range of events can be made again, in any order.
package nexmark

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"time"
)

const (
	firstPerson, firstAuction = 1000, 1000
	perEpoch                  = 50 // events: 1 person, 3 auctions, 46 bids
	activePeople, inFlight    = 1000, 100
	bidBytes                  = 100
)

// Generator makes events. The zero value is not usable.
type Generator struct {
	// Base is the event time of event 0.
	Base time.Time
	// Rate is the number of events per second of event time.
	Rate float64
	// Seed changes all random numbers.
	Seed uint64
}

// BidNumber returns the number of the i-th bid among all events.
func BidNumber(i uint64) uint64 { return i/46*perEpoch + 4 + i%46 }

// AppendBid appends the i-th bid as one JSON object without a line end, about 220 bytes.
func (g Generator) AppendBid(b []byte, i uint64) []byte {
	n := BidNumber(i)
	r := rand.New(rand.NewPCG(g.Seed, n))
	at := g.Base.Add(time.Duration(float64(n) / g.Rate * float64(time.Second)))
	auction := (lastAuction(n) / 100) * 100
	if r.IntN(2) == 0 {
		low := max(lastAuction(n)-inFlight, 0)
		auction = low + r.Int64N(lastAuction(n)-low+1+10)
	}
	bidder := (lastPerson(n)/100)*100 + 1
	if r.IntN(4) == 0 {
		people := lastPerson(n) + 1
		active := min(people, activePeople)
		bidder = people - active + r.Int64N(active+10)
	}
	price := int64(math.Round(100 * math.Pow(10, 6*r.Float64())))
	b = append(b, `{"auction":`...)
	b = strconv.AppendInt(b, auction+firstAuction, 10)
	b = append(b, `,"bidder":`...)
	b = strconv.AppendInt(b, bidder+firstPerson, 10)
	b = append(b, `,"price":`...)
	b = strconv.AppendInt(b, price, 10)
	b = appendChannel(b, r)
	b = append(b, `,"date_time":"`...)
	b = at.UTC().AppendFormat(b, "2006-01-02 15:04:05.000")
	b = append(b, `","extra":"`...)
	b = appendExtra(b, r)
	return append(b, `"}`...)
}

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

var hotChannels = [...]string{"Google", "Facebook", "Baidu", "Apple"}

func appendChannel(b []byte, r *rand.Rand) []byte {
	if r.IntN(2) == 0 {
		c := r.IntN(len(hotChannels))
		b = append(b, `,"channel":"`...)
		b = append(b, hotChannels[c]...)
		return appendURL(b, uint64(c), -1)
	}
	c := r.IntN(10000)
	b = append(b, `,"channel":"channel-`...)
	b = strconv.AppendInt(b, int64(c), 10)
	if r.IntN(10) == 0 {
		return appendURL(b, uint64(c)+10, -1)
	}
	return appendURL(b, uint64(c)+10, int64(c))
}

// appendURL writes the channel's own URL: the same channel has always the same path.
func appendURL(b []byte, channel uint64, id int64) []byte {
	r := rand.New(rand.NewPCG(channel, 7))
	b = append(b, `","url":"https://www.nexmark.com/`...)
	for range 3 {
		for range 3 + r.IntN(3) {
			b = append(b, 'a'+byte(r.IntN(26)))
		}
		b = append(b, '/')
	}
	b = append(b, "item.htm?query=1"...)
	if id >= 0 {
		b = append(b, "&channel_id="...)
		b = strconv.AppendInt(b, int64(math.Abs(float64(int32(bits.Reverse32(uint32(id)))))), 10)
	}
	return append(b, '"')
}

func appendExtra(b []byte, r *rand.Rand) []byte {
	const d = bidBytes - 32
	delta := d / 5
	n := d - delta + r.IntN(2*delta)
	for range n {
		b = append(b, 'a'+byte(r.IntN(26)))
	}
	return b
}

// Bids returns n bids from the i-th on, one a line.
func (g Generator) Bids(i uint64, n int) []byte {
	b := make([]byte, 0, n*240)
	for k := range uint64(n) {
		b = append(g.AppendBid(b, i+k), '\n')
	}
	return b
}

// String names the generator's settings for a benchmark's report.
func (g Generator) String() string {
	return fmt.Sprintf("nexmark bids, %g events/s of event time, seed %d", g.Rate, g.Seed)
}
