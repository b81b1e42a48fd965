package nexmark

// Query is one of the queries in the folder queries.
type Query struct {
	// Name is "q0" and so on; the query is in queries/Name.sql.
	Name string
	// Reads are the streams that it reads.
	Reads []Kind
}

// Queries returns those of the comparison with other engines, in order. What is left out needs more than the core of SQL or measures the
// same as its neighbours.
func Queries() []Query {
	bids, joined, people := []Kind{Bid}, []Kind{Auction, Bid}, []Kind{Person, Auction}
	return []Query{
		{"q0", bids}, {"q1", bids}, {"q2", bids}, {"q3", people}, {"q4", joined}, {"q5", bids}, {"q7", bids}, {"q8", people}, {"q9", joined},
		{"q18", bids}, {"q19", bids}, {"q20", joined},
	}
}

// Events returns how many of the first n events a query reads.
func (q Query) Events(n uint64) uint64 {
	persons, auctions, bids := Counts(n)
	sum := uint64(0)
	for _, k := range q.Reads {
		sum += [...]uint64{persons, auctions, bids}[k]
	}
	return sum
}
