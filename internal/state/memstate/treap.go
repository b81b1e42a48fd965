package memstate

import "bytes"

// node is one of a treap that never changes: a change makes new nodes on the way to it.
type node struct {
	key, value  []byte
	priority    uint64
	rows, bytes int64 // of the subtree
	left, right *node
}

// with returns a copy of n with other children.
func (n *node) with(left, right *node) *node {
	c := *n
	c.left, c.right = left, right
	c.rows, c.bytes = 1, int64(len(c.key)+len(c.value))
	for _, child := range []*node{left, right} {
		if child != nil {
			c.rows += child.rows
			c.bytes += child.bytes
		}
	}
	return &c
}

func (n *node) find(key []byte) *node {
	for n != nil {
		switch c := bytes.Compare(key, n.key); {
		case c == 0:
			return n
		case c < 0:
			n = n.left
		default:
			n = n.right
		}
	}
	return nil
}

// split returns the nodes below key and those from key on.
func (n *node) split(key []byte) (below, from *node) {
	if n == nil {
		return nil, nil
	}
	if bytes.Compare(n.key, key) < 0 {
		a, b := n.right.split(key)
		return n.with(n.left, a), b
	}
	a, b := n.left.split(key)
	return a, n.with(b, n.right)
}

// merge joins two treaps, all keys of a before those of b.
func merge(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority >= b.priority:
		return a.with(a.left, merge(a.right, b))
	}
	return b.with(merge(a, b.left), b.right)
}

// put adds one node, or takes the place of that with its key.
func (n *node) put(e *node) *node {
	a, b := n.split(e.key)
	_, c := b.split(append(bytes.Clone(e.key), 0))
	return merge(merge(a, e.with(nil, nil)), c)
}

// walk gives nodes in order, or in the opposite one.
type walk struct {
	stack []*node // each with its right side still to come, or its left one on the way down
	down  bool
	upper []byte // nil: without end
	lower []byte // on the way down
}

func newWalk(root *node, lower, upper []byte) walk {
	w := walk{}
	if upper != nil {
		w.upper = append([]byte{}, upper...)
	}
	for n := root; n != nil; {
		if bytes.Compare(n.key, lower) >= 0 {
			w.stack = append(w.stack, n)
			n = n.left
		} else {
			n = n.right
		}
	}
	return w
}

func newWalkDown(root *node, lower, upper []byte) walk {
	w := walk{down: true, lower: append([]byte{}, lower...)}
	for n := root; n != nil; {
		if upper == nil || bytes.Compare(n.key, upper) < 0 {
			w.stack = append(w.stack, n)
			n = n.right
		} else {
			n = n.left
		}
	}
	return w
}

func (w *walk) next() *node {
	if len(w.stack) == 0 {
		return nil
	}
	n := w.stack[len(w.stack)-1]
	w.stack = w.stack[:len(w.stack)-1]
	if w.upper != nil && bytes.Compare(n.key, w.upper) >= 0 || w.down && bytes.Compare(n.key, w.lower) < 0 {
		w.stack = nil
		return nil
	}
	if w.down {
		for l := n.left; l != nil; l = l.right {
			w.stack = append(w.stack, l)
		}
		return n
	}
	for r := n.right; r != nil; r = r.left {
		w.stack = append(w.stack, r)
	}
	return n
}
