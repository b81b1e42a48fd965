package lower

import (
	"slices"

	"leat/internal/engine/circuit"
	"leat/internal/engine/op"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// source is what all scans of one relation need of it together: it is read and decoded once.
type source struct {
	circuit.Source
	id circuit.NodeID
}

// collect notes what the scans below n read. A table's key and version are always read: its rows are told apart by them.
func (l *lowerer) collect(n plan.Node, seen map[plan.Node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	for _, in := range n.Inputs() {
		l.collect(in, seen)
	}
	s, ok := n.(*plan.Scan)
	if !ok || l.below(s) {
		return
	}
	src := l.sources[s.Relation.ID]
	if src == nil {
		src = &source{Source: circuit.Source{Relation: s.Relation}}
		l.sources[s.Relation.ID] = src
		l.order = append(l.order, src)
	}
	src.Columns = union(src.Columns, needed(s))
	src.System = union(src.System, s.System)
}

// below reports whether a scan reads a view of the circuit. Other views are sources: their rows come from outside.
func (l *lowerer) below(s *plan.Scan) bool {
	return s.Relation.Kind == plan.ViewRelation && l.inside[s.Relation.ID]
}

// needed are the columns that a scan's source must have.
func needed(s *plan.Scan) []int {
	cols := slices.Clone(s.Columns)
	if s.Relation.Kind != plan.TableRelation {
		return cols
	}
	for _, id := range s.Relation.Key {
		cols = append(cols, s.Relation.Schema.IndexID(id))
	}
	if s.Relation.VersionColumn != 0 {
		cols = append(cols, s.Relation.Schema.IndexID(s.Relation.VersionColumn))
	}
	return cols
}

// union returns the values of both, sorted, each once.
func union[T int | plan.System](a, b []T) []T {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

func (l *lowerer) addSources() {
	for _, s := range l.order {
		s.id = l.b.Source(s.Source)
	}
}

// types are those of the source's columns.
func (s *source) types() []types.Type {
	out := make([]types.Type, 0, len(s.Columns)+len(s.System))
	for _, c := range s.Columns {
		out = append(out, s.Relation.Schema.Columns[c].Type)
	}
	for _, y := range s.System {
		out = append(out, plan.SystemType(y))
	}
	return out
}

// at returns where columns and system columns of the relation are in the source.
func (s *source) at(cols []int, system []plan.System) []int {
	out := make([]int, 0, len(cols)+len(system))
	for _, c := range cols {
		out = append(out, slices.Index(s.Columns, c))
	}
	for _, y := range system {
		out = append(out, len(s.Columns)+slices.Index(s.System, y))
	}
	return out
}

func (l *lowerer) scan(n *plan.Scan) (node, error) {
	if l.below(n) {
		v, ok := l.views[n.Relation.ID]
		if !ok || len(n.System) > 0 {
			return node{}, types.Errorf(types.Internal, "BUG: a scan of view %s that the circuit does not have", n.Relation.Name)
		}
		return l.pick(v, n.Columns), nil
	}
	src := l.sources[n.Relation.ID]
	if n.Relation.Kind != plan.TableRelation {
		return l.pick(node{src.id, src.types()}, src.at(n.Columns, n.System)), nil
	}
	rows, own := l.upsert(src)
	return l.pick(rows, own.at(n.Columns, n.System)), nil
}

// upsert makes rows of a table's change log, once per view: only what this view's scans read is kept, so that views built on it don't
// change its state.
func (l *lowerer) upsert(src *source) (node, *source) {
	own := &source{Source: circuit.Source{Relation: src.Relation}}
	for n := range l.uses {
		if s, ok := n.(*plan.Scan); ok && s.Relation.ID == src.Relation.ID {
			own.Columns, own.System = union(own.Columns, needed(s)), union(own.System, s.System)
		}
	}
	if done, ok := l.rows[src.Relation.ID]; ok {
		return done, own
	}
	log := l.pick(node{src.id, src.types()}, src.at(own.Columns, own.System))
	r := src.Relation
	keys := make([]int, len(r.Key))
	for i, id := range r.Key {
		keys[i] = slices.Index(own.Columns, r.Schema.IndexID(id))
	}
	version := -1
	if r.VersionColumn != 0 {
		version = slices.Index(own.Columns, r.Schema.IndexID(r.VersionColumn))
	}
	out := l.add("table "+r.Name, op.NewUpsert(l.table(), log.types, keys, version), log.types, log)
	l.rows[r.ID] = out
	return out, own
}
