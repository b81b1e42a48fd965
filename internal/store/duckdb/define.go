package duckdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"leat/internal/store"
	"leat/internal/types"
)

// definition is what Define does for one relation.
type definition struct {
	*relation
	// exists says that the file has its table, which then needs the changes.
	exists  bool
	changes []change
	// moved says that the relation gets new tables in the tail.
	moved bool
}

// Define implements store.Store. All relations change in one transaction or none does.
func (s *Store) Define(ctx context.Context, relations []store.Relation) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	defs, altered, err := s.plan(ctx, relations)
	if err != nil {
		return err
	}
	if altered {
		// What is in the tail has the old columns.
		if err := s.sealAll(ctx); err != nil {
			return err
		}
	}
	names := maps.Clone(s.names)
	for _, d := range defs {
		if err := s.registerLive(d.relation); err != nil {
			return err
		}
	}
	err = s.createTails(ctx, defs)
	if err == nil {
		err = s.transact(ctx, s.keeper, func(ctx context.Context) error { return s.define(ctx, defs, names, altered) })
	}
	var gone []*relation
	for _, d := range defs {
		switch old := s.relations[d.ID]; {
		case !d.moved:
		case err != nil:
			gone = append(gone, d.relation)
		case old != nil:
			gone = append(gone, old)
		}
	}
	// Kept statements may hold casts of columns that now have other types.
	s.db.Forget()
	if err == nil {
		s.remember(defs, names)
		s.checkpointDefinitions(ctx)
	}
	return errors.Join(err, s.dropTails(ctx, gone))
}

// checkpointDefinitions makes what was just defined part of the file, whose WAL is never replayed. Where it fails, the next Maintain tries
// again; what is missing after a crash is defined again at the start. maintaining and mu are held.
func (s *Store) checkpointDefinitions(ctx context.Context) {
	s.redefined = true
	_ = s.checkpoint(context.WithoutCancel(ctx)) // a fatal error was noted
}

// remember makes definitions the present ones.
func (s *Store) remember(defs []definition, names map[types.ObjectID]string) {
	s.names = names
	for _, d := range defs {
		if _, ok := s.relations[d.ID]; !ok {
			s.order = append(s.order, d.ID)
		}
		s.relations[d.ID] = d.relation
	}
	s.publish()
}

// publish renews known.
func (s *Store) publish() {
	known := maps.Clone(s.relations)
	s.known.Store(&known)
}

// plan compares what is there with what is wanted. altered says that the columns of existing tables change.
func (s *Store) plan(ctx context.Context, relations []store.Relation) (defs []definition, altered bool, err error) {
	for _, r := range relations {
		d := definition{relation: &relation{Relation: r}}
		old := s.relations[r.ID]
		if _, d.exists = s.names[r.ID]; d.exists && r.Schema != nil {
			have, err := s.columns(ctx, r.ID)
			if err != nil {
				return nil, false, err
			}
			d.changes = changes(have, r.Schema)
			d.physical = apply(have, d.changes)
		} else if r.Schema != nil {
			for _, c := range r.Schema.Columns {
				d.physical = append(d.physical, physical{c.ID, c.Type})
			}
		}
		altered = altered || len(d.changes) > 0
		if d.moved = r.Schema != nil && (old == nil || len(d.changes) > 0); d.moved {
			s.shapes++
			d.shape = s.shapes
		} else if old != nil {
			d.shape = old.shape
		}
		defs = append(defs, d)
	}
	return defs, altered, nil
}

// createTails makes the tail tables of relations that are new or change; nothing reads them before the views do.
func (s *Store) createTails(ctx context.Context, defs []definition) error {
	for _, d := range defs {
		if !d.moved {
			continue
		}
		if err := exec(ctx, s.writer, d.createTail()...); err != nil {
			return s.note(err)
		}
	}
	return nil
}

// dropTails removes tail tables that no view reads any more, once every query that began before has taken its snapshot.
func (s *Store) dropTails(ctx context.Context, gone []*relation) error {
	s.cut.Lock()
	defer s.cut.Unlock()
	for _, r := range gone {
		if err := exec(context.WithoutCancel(ctx), s.writer, r.dropTail()...); err != nil {
			return s.note(err)
		}
	}
	return nil
}

// define changes tables, views and names in the file.
func (s *Store) define(ctx context.Context, defs []definition, names map[types.ObjectID]string, altered bool) error {
	// Old names go first, so that two relations may swap theirs.
	for _, d := range defs {
		if old, ok := names[d.ID]; ok && old != d.Name {
			if err := exec(ctx, s.keeper, dropViews(old)...); err != nil {
				return err
			}
		}
	}
	for _, d := range defs {
		if err := s.defineTable(ctx, d); err != nil {
			return err
		}
		if err := exec(ctx, s.keeper, d.views()...); err != nil {
			return err
		}
		if names[d.ID] == d.Name {
			continue
		}
		names[d.ID] = d.Name
		if err := exec(ctx, s.keeper, fmt.Sprintf("DELETE FROM leat.names WHERE id = %d", d.ID),
			fmt.Sprintf("INSERT INTO leat.names VALUES (%d, %s)", d.ID, types.QuoteLiteral(d.Name))); err != nil {
			return err
		}
	}
	if altered {
		return s.refreshViews(ctx, defs)
	}
	return nil
}

func (s *Store) defineTable(ctx context.Context, d definition) error {
	if d.Schema == nil {
		return nil
	}
	if !d.exists {
		return exec(ctx, s.keeper, "CREATE TABLE "+d.table()+" "+d.definition())
	}
	for _, c := range d.changes {
		if err := s.apply(ctx, d.relation, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) apply(ctx context.Context, r *relation, c change) error {
	if check := c.check(r.table()); check != "" {
		lost, err := s.strings(ctx, s.keeper, check)
		if err != nil {
			return err
		}
		if len(lost) > 0 {
			name := r.Schema.Columns[r.Schema.IndexID(c.id)].Name
			return types.Errorf(types.DataError, "column %s of %s: the stored value %.100q cannot become %s", types.QuoteIdent(name), r.Name, lost[0][0], c.to)
		}
	}
	return exec(ctx, s.keeper, c.sql(r.table()))
}

// columns reads a table's physical columns from DuckDB's catalog.
func (s *Store) columns(ctx context.Context, id types.ObjectID) (cols []physical, err error) {
	rows, err := s.strings(ctx, s.keeper, fmt.Sprintf("SELECT name, type FROM pragma_table_info('leat.%s')", tableName(id)))
	if err != nil {
		return nil, s.note(err)
	}
	for _, r := range rows {
		if strings.HasPrefix(r[0], "_") {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimPrefix(r[0], "c"), 10, 32)
		if err != nil {
			return nil, types.Errorf(types.Corrupt, "column %s of %s: %w", r[0], tableName(id), err)
		}
		t, err := types.ParseType(r[1])
		if err != nil {
			return nil, types.Errorf(types.Corrupt, "column %s of %s: %w", r[0], tableName(id), err)
		}
		cols = append(cols, physical{int32(n), t})
	}
	return cols, nil
}

// refreshViews makes the plain views that Define wasn't given again: DuckDB keeps the columns that a view had.
func (s *Store) refreshViews(ctx context.Context, given []definition) error {
	for _, id := range s.order {
		r := s.relations[id]
		if r.Schema != nil || slices.ContainsFunc(given, func(d definition) bool { return d.ID == id }) {
			continue
		}
		if err := exec(ctx, s.keeper, r.views()...); err != nil {
			return err
		}
	}
	return nil
}

// Drop implements store.Store.
func (s *Store) Drop(ctx context.Context, ids []types.ObjectID) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.transact(ctx, s.keeper, func(ctx context.Context) error {
		for _, id := range ids {
			if name, ok := s.names[id]; ok {
				if err := exec(ctx, s.keeper, dropViews(name)...); err != nil {
					return err
				}
			}
			if err := exec(ctx, s.keeper, "DROP TABLE IF EXISTS leat."+tableName(id), fmt.Sprintf("DELETE FROM leat.offsets WHERE stream = %d", id),
				fmt.Sprintf("DELETE FROM leat.names WHERE id = %d", id)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	err = s.dropTails(ctx, s.forget(ids))
	s.checkpointDefinitions(ctx)
	return err
}

// forget removes relations from what the store knows, and returns those that it knew.
func (s *Store) forget(ids []types.ObjectID) (gone []*relation) {
	for _, id := range ids {
		if r, ok := s.relations[id]; ok {
			gone = append(gone, r)
		}
		delete(s.relations, id)
		delete(s.names, id)
		delete(s.tail.streams, id)
		if s.sealing != nil {
			delete(s.sealing.streams, id)
		}
	}
	s.publish()
	s.order = slices.DeleteFunc(s.order, func(id types.ObjectID) bool { return slices.Contains(ids, id) })
	positions := []map[types.PartitionID]types.Offset{s.loaded, s.durable, s.unsaved}
	if s.sealing != nil {
		positions = append(positions, s.sealing.position)
	}
	s.posMu.Lock()
	defer s.posMu.Unlock()
	for _, m := range positions {
		maps.DeleteFunc(m, func(p types.PartitionID, _ types.Offset) bool { return slices.Contains(ids, p.Stream) })
	}
	return gone
}

// Relations are the IDs of all streams, tables and views that the store has, sorted.
func (s *Store) Relations() []types.ObjectID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.names))
}
