package plan

// Rewrite rebuilds a plan bottom-up: f gets each node over its rewritten inputs and returns what takes its place. A node that is shared is
// rewritten once and stays shared; one that nothing changes below stays the same pointer.
func Rewrite(n Node, f func(Node) Node) Node {
	done := map[Node]Node{}
	var rec func(Node) Node
	rec = func(n Node) Node {
		if r, ok := done[n]; ok {
			return r
		}
		in := n.Inputs()
		fresh, changed := make([]Node, len(in)), false
		for i, c := range in {
			fresh[i] = rec(c)
			changed = changed || fresh[i] != c
		}
		r := n
		if changed {
			r = n.With(fresh...)
		}
		r = f(r)
		done[n] = r
		return r
	}
	return rec(n)
}
