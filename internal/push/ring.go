package push

// maxSteps is how many changes a ring keeps at most.
const maxSteps = 16_384

// ring keeps the newest steps, whose numbers rise by one.
type ring struct {
	// steps are those from first to last; first is last+1 where there are none.
	steps       []*step
	first, last uint64
	bytes       int64
}

// push adds a step and drops the oldest until the ring fits share and maxSteps; the newest step always stays. It returns by how much the
// ring has grown.
func (r *ring) push(s *step, share int64) int64 {
	before := r.bytes
	r.steps, r.last = append(r.steps, s), s.seq
	r.bytes += s.bytes
	r.trim(share)
	return r.bytes - before
}

// trim drops the oldest steps until the ring fits, and returns by how much it has grown.
func (r *ring) trim(share int64) int64 {
	before, n := r.bytes, 0
	for len(r.steps)-n > 1 && (r.bytes > share || len(r.steps)-n > maxSteps) {
		r.bytes -= r.steps[n].bytes
		r.steps[n] = nil
		n++
	}
	r.steps, r.first = r.steps[n:], r.first+uint64(n)
	return r.bytes - before
}

// clear drops all and returns how many bytes that were.
func (r *ring) clear() int64 {
	n := r.bytes
	r.steps, r.bytes, r.first = nil, 0, r.last+1
	return n
}

// after returns the steps behind seq; ok is false where some of them are gone. The slice is the caller's to read: steps that are added later
// stand behind its end.
func (r *ring) after(seq uint64) (steps []*step, ok bool) {
	if seq+1 < r.first {
		return nil, false
	}
	steps = append([]*step(nil), r.steps[min(seq+1-r.first, uint64(len(r.steps))):]...)
	return steps, true
}
