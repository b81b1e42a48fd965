package nexmark

import (
	"math/bits"
	"strconv"
)

var (
	firstNames  = [...]string{"peter", "paul", "luke", "john", "saul", "vicky", "kate", "julie", "sarah", "deiter", "walter"}
	lastNames   = [...]string{"shultz", "abrams", "spencer", "white", "bartels", "walton", "smith", "jones", "noris"}
	cities      = [...]string{"phoenix", "los angeles", "san francisco", "boise", "portland", "bend", "redmond", "seattle", "kent", "cheyenne"}
	states      = [...]string{"az", "ca", "id", "or", "wa", "wy"}
	hotChannels = [...]string{"Google", "Facebook", "Baidu", "Apple"}
)

func (g Generator) appendPerson(b []byte, n uint64) []byte {
	d := newDraw(g.Seed, n)
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, lastPerson(n)+firstPerson, 10)
	b = append(b, `,"name":"`...)
	from := len(b)
	b = append(b, firstNames[d.below(int64(len(firstNames)))]...)
	b = append(b, ' ')
	b = append(b, lastNames[d.below(int64(len(lastNames)))]...)
	now := 8 + len(b) - from
	b = append(b, `","email_address":"`...)
	from = len(b)
	b = append(d.text(b, 7, ' '), '@')
	b = append(d.text(b, 5, ' '), ".com"...)
	now += len(b) - from
	b = append(b, `","credit_card":"`...)
	for i := range 4 {
		if i > 0 {
			b = append(b, ' ')
		}
		c := d.below(10000)
		b = append(b, '0'+byte(c/1000), '0'+byte(c/100%10), '0'+byte(c/10%10), '0'+byte(c%10))
	}
	city, state := cities[d.below(int64(len(cities)))], states[d.below(int64(len(states)))]
	b = append(append(b, `","city":"`...), city...)
	b = append(append(b, `","state":"`...), state...)
	b = appendTime(append(b, `","date_time":"`...), g.millis(n))
	b = append(b, `","extra":"`...)
	b = d.filler(b, now+19+len(city)+len(state), personBytes)
	return append(b, `"}`...)
}

func (g Generator) appendAuction(b []byte, n uint64) []byte {
	d, at := newDraw(g.Seed, n), g.millis(n)
	seller := lastPerson(n) / hotRatio * hotRatio
	if d.below(4) == 0 {
		seller = somePerson(&d, n)
	}
	category, initial := 10+d.below(5), d.price()
	// An auction is open for as long as it takes to begin inFlight more, on average.
	expires := at + 1 + d.below(max(2*(g.millis(n+inFlight*perEpoch/3)-at), 1))
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, lastAuction(n)+firstAuction, 10)
	b = append(b, `,"item_name":"`...)
	from := len(b)
	b = d.text(b, 20, ' ')
	now := len(b) - from
	b = append(b, `","description":"`...)
	from = len(b)
	b = d.text(b, 100, ' ')
	now += len(b) - from
	b = strconv.AppendInt(append(b, `","initial_bid":`...), initial, 10)
	b = strconv.AppendInt(append(b, `,"reserve":`...), initial+d.price(), 10)
	b = appendTime(append(b, `,"date_time":"`...), at)
	b = appendTime(append(b, `","expires":"`...), expires)
	b = strconv.AppendInt(append(b, `","seller":`...), seller+firstPerson, 10)
	b = strconv.AppendInt(append(b, `,"category":`...), category, 10)
	b = append(b, `,"extra":"`...)
	b = d.filler(b, 8+now+40, auctionLen)
	return append(b, `"}`...)
}

func (g Generator) appendBid(b []byte, n uint64) []byte {
	d := newDraw(g.Seed, n)
	auction := lastAuction(n) / hotRatio * hotRatio
	if d.below(2) == 0 {
		auction = someAuction(&d, n)
	}
	bidder := lastPerson(n)/hotRatio*hotRatio + 1
	if d.below(4) == 0 {
		bidder = somePerson(&d, n)
	}
	b = strconv.AppendInt(append(b, `{"auction":`...), auction+firstAuction, 10)
	b = strconv.AppendInt(append(b, `,"bidder":`...), bidder+firstPerson, 10)
	b = strconv.AppendInt(append(b, `,"price":`...), d.price(), 10)
	b = appendChannel(b, &d)
	b = appendTime(append(b, `,"date_time":"`...), g.millis(n))
	b = append(b, `","extra":"`...)
	b = d.filler(b, 32, bidBytes)
	return append(b, `"}`...)
}

// appendChannel writes a channel and its URL; the same channel has always the same one.
func appendChannel(b []byte, d *draw) []byte {
	b = append(b, `,"channel":"`...)
	if d.below(2) == 0 {
		c := d.below(int64(len(hotChannels)))
		b = append(b, hotChannels[c]...)
		return append(appendURL(b, newDraw(uint64(c), 7)), '"')
	}
	c := d.below(10000)
	b = append(b, `channel-`...)
	b = strconv.AppendInt(b, c, 10)
	own := newDraw(uint64(c)+10, 7)
	b = appendURL(b, own)
	if newDraw(uint64(c)+10, 8).tenth() {
		return append(b, '"')
	}
	b = append(b, "&channel_id="...)
	id := int64(int32(bits.Reverse32(uint32(c))))
	return append(strconv.AppendInt(b, max(id, -id), 10), '"')
}

func (d draw) tenth() bool { return d.below(10) == 0 }

func appendURL(b []byte, d draw) []byte {
	b = append(b, `","url":"https://www.nexmark.com/`...)
	for range 3 {
		b = append(d.text(b, 5, '_'), '/')
	}
	return append(b, "item.htm?query=1"...)
}
