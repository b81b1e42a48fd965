package duckdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"leat/internal/store"
	"leat/internal/types"
)

// Define implements store.Store. All relations change in one transaction or none does.
func (s *Store) Define(ctx context.Context, relations []store.Relation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make([]*relation, len(relations))
	names := maps.Clone(s.names)
	err := s.write(ctx, func(ctx context.Context) error {
		// Old names go first, so that two relations may swap theirs.
		for _, r := range relations {
			if old, ok := names[r.ID]; ok && old != r.Name {
				if err := s.exec(ctx, dropViews(old)...); err != nil {
					return err
				}
			}
		}
		altered := false
		for i, r := range relations {
			next[i] = &relation{Relation: r}
			changed, err := s.define(ctx, next[i])
			if err != nil {
				return err
			}
			altered = altered || changed
			if names[r.ID] != r.Name {
				names[r.ID] = r.Name
				if err := s.exec(ctx, fmt.Sprintf("DELETE FROM leat.names WHERE id = %d", r.ID),
					fmt.Sprintf("INSERT INTO leat.names VALUES (%d, %s)", r.ID, types.QuoteLiteral(r.Name))); err != nil {
					return err
				}
			}
		}
		if altered {
			return s.refreshViews(ctx, relations)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.names = names
	for _, r := range next {
		if _, ok := s.relations[r.ID]; !ok {
			s.order = append(s.order, r.ID)
		}
		s.relations[r.ID] = r
	}
	return nil
}

func (s *Store) exec(ctx context.Context, statements ...string) error {
	for _, sql := range statements {
		if err := s.writer.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// define makes or changes one relation and reports whether columns of existing rows changed.
func (s *Store) define(ctx context.Context, r *relation) (altered bool, err error) {
	if r.Schema == nil {
		return false, s.exec(ctx, r.views()...)
	}
	have, exists, err := s.columns(ctx, r.ID)
	if err != nil {
		return false, err
	}
	if !exists {
		for _, c := range r.Schema.Columns {
			r.physical = append(r.physical, physical{c.ID, c.Type})
		}
		if err := s.exec(ctx, r.createTable()); err != nil {
			return false, err
		}
		return false, s.exec(ctx, r.views()...)
	}
	for _, c := range changes(have, r.Schema) {
		altered = true
		if err := s.apply(ctx, r, c); err != nil {
			return false, err
		}
	}
	if r.physical, _, err = s.columns(ctx, r.ID); err != nil {
		return false, err
	}
	return altered, s.exec(ctx, r.views()...)
}

func (s *Store) apply(ctx context.Context, r *relation, c change) error {
	if check := c.check(r.table()); check != "" {
		lost, err := s.strings(ctx, check)
		if err != nil {
			return err
		}
		if len(lost) > 0 {
			name := r.Schema.Columns[r.Schema.IndexID(c.id)].Name
			return types.Errorf(types.DataError, "column %s of %s: the stored value %.100q cannot become %s", types.QuoteIdent(name), r.Name, lost[0][0], c.to)
		}
	}
	return s.exec(ctx, c.sql(r.table()))
}

// columns reads a table's physical columns from DuckDB's catalog.
func (s *Store) columns(ctx context.Context, id types.ObjectID) (cols []physical, exists bool, err error) {
	rows, err := s.strings(ctx, fmt.Sprintf(
		"SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = 'leat' AND table_name = '%s' ORDER BY column_index", tableName(id)))
	if err != nil {
		return nil, false, err
	}
	for _, r := range rows {
		if strings.HasPrefix(r[0], "_") {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimPrefix(r[0], "c"), 10, 32)
		if err != nil {
			return nil, false, types.Errorf(types.Corrupt, "column %s of %s: %w", r[0], tableName(id), err)
		}
		t, err := types.ParseType(r[1])
		if err != nil {
			return nil, false, types.Errorf(types.Corrupt, "column %s of %s: %w", r[0], tableName(id), err)
		}
		cols = append(cols, physical{int32(n), t})
	}
	return cols, len(rows) > 0, nil
}

// refreshViews makes the plain views that Define wasn't given again: DuckDB keeps the columns that a view had.
func (s *Store) refreshViews(ctx context.Context, given []store.Relation) error {
	for _, id := range s.order {
		r := s.relations[id]
		if r.Schema != nil || slices.ContainsFunc(given, func(g store.Relation) bool { return g.ID == id }) {
			continue
		}
		if err := s.exec(ctx, r.views()...); err != nil {
			return err
		}
	}
	return nil
}

// Drop implements store.Store.
func (s *Store) Drop(ctx context.Context, ids []types.ObjectID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.write(ctx, func(ctx context.Context) error {
		for _, id := range ids {
			if name, ok := s.names[id]; ok {
				if err := s.exec(ctx, dropViews(name)...); err != nil {
					return err
				}
			}
			if err := s.exec(ctx, "DROP TABLE IF EXISTS leat."+tableName(id), fmt.Sprintf("DELETE FROM leat.offsets WHERE stream = %d", id),
				fmt.Sprintf("DELETE FROM leat.names WHERE id = %d", id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		delete(s.relations, id)
		delete(s.names, id)
	}
	s.order = slices.DeleteFunc(s.order, func(id types.ObjectID) bool { return slices.Contains(ids, id) })
	s.posMu.Lock()
	defer s.posMu.Unlock()
	for _, m := range []map[types.PartitionID]types.Offset{s.loaded, s.durable} {
		maps.DeleteFunc(m, func(p types.PartitionID, _ types.Offset) bool { return slices.Contains(ids, p.Stream) })
	}
	return nil
}
