package opt

import (
	"slices"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// check refuses windows that go by the order of rows where rows have none.
func check(root plan.Node) error {
	facts := NewFacts()
	for _, n := range parentsFirst(root) {
		w, ok := n.(*plan.Window)
		if !ok {
			continue
		}
		name := ""
		switch {
		case w.Kind == plan.CountWindow:
			name = "COUNT_WINDOW"
		case w.Kind == plan.Session && facts.of(w.Input).TimeOf(w.Time).Timed():
			name = "SESSION with a watermark"
		default:
			continue
		}
		if !facts.of(w.Input).AppendOnly {
			return types.Errorf(types.Unsupported, "%s goes by the order of the log, so its input must be append-only", name).
				WithHint("Use it on a stream, or on filters and projections of one.")
		}
		if err := checkOrder(name, w.Input, w.Keys); err != nil {
			return err
		}
	}
	return nil
}

// checkOrder makes sure that rows of equal keys, positions in n's output, come in the order of one log.
func checkOrder(name string, n plan.Node, keys []int) error {
	switch n := n.(type) {
	case *plan.Scan:
		return checkPartitions(name, n, keys)
	case *plan.Filter:
		return checkOrder(name, n.Input, keys)
	case *plan.Window:
		return checkOrder(name, n.Input, slices.DeleteFunc(slices.Clone(keys), func(k int) bool { return k >= len(n.Input.Fields()) }))
	case *plan.Project:
		var below []int
		for _, k := range keys {
			if n.Exprs[k].Kind == plan.Column {
				below = append(below, n.Exprs[k].Index)
			}
		}
		return checkOrder(name, n.Input, below)
	}
	return types.Errorf(types.Unsupported, "%s goes by the order of the log, and what it reads has none", name).
		WithHint("Use it on a stream, or on filters and projections of one.")
}

func checkPartitions(name string, n *plan.Scan, keys []int) error {
	r := n.Relation
	if r.Kind != plan.StreamRelation {
		return types.Errorf(types.Unsupported, "%s goes by the order of the log, and the rows of %s have none", name, r.Name).
			WithHint("Use it on a stream, or on filters and projections of one.")
	}
	if r.Partitions <= 1 {
		return nil
	}
	names := ""
	for _, id := range r.PartitionBy {
		at := r.Schema.IndexID(id)
		if names != "" {
			names += ", "
		}
		names += types.QuoteIdent(r.Schema.Columns[at].Name)
		if !slices.ContainsFunc(keys, func(k int) bool { return k < len(n.Columns) && n.Columns[k] == at }) {
			names = ""
			break
		}
	}
	if names != "" {
		return nil
	}
	return types.Errorf(types.Unsupported, "%s goes by the order of the log, but stream %s has %d partitions that are not told apart by its keys",
		name, r.Name, r.Partitions).
		WithHint("Give the window the keys that %s is partitioned by, or use a stream with one partition.", types.QuoteIdent(r.Name))
}
