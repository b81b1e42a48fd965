package op

// Spreader makes several rows of one.
type Spreader interface {
	// Spread is how many rows Step makes of one at most.
	Spread() int
}

// RowWise is an operator without state whose output is that of its input's rows, one by one and at most one each: a step may be cut in pieces for
// it.
type RowWise interface{ rowWise() }

func (o *window) Spread() int { return o.fanout }

func (f *filter) rowWise()    {}
func (p *project) rowWise()   {}
func (s *selection) rowWise() {}
