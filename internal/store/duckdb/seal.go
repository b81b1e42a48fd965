package duckdb

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"leat/internal/duck"
	"leat/internal/types"
)

// tailSeals is how many times SealBytes the tail may hold before loads wait.
const tailSeals = 4

// generation is one half of the tail. Loads go to one while the other is written to the file or is empty.
type generation struct {
	// index is 0 or 1.
	index int
	// since is when its first load came; zero if there was none.
	since time.Time
	bytes int64
	// streams have rows in it.
	streams map[types.ObjectID]bool
	// position is Loaded when it was full; nil before.
	position map[types.PartitionID]types.Offset
}

// add counts a load.
func (g *generation) add(streams map[types.ObjectID][]piece, now time.Time) {
	if g.since.IsZero() {
		g.since = now
	}
	if g.streams == nil {
		g.streams = map[types.ObjectID]bool{}
	}
	for id, pieces := range streams {
		g.streams[id] = true
		for _, p := range pieces {
			g.bytes += int64(p.batch.Bytes())
		}
	}
}

// seal writes what is in the tail now to the file. Loads and queries go on meanwhile.
func (s *Store) seal(ctx context.Context) error {
	if err := s.healed(); err != nil {
		return err
	}
	s.maintaining.Lock()
	defer s.maintaining.Unlock()
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.turn()
	}
	s.mu.Unlock()
	if closed {
		return nil
	}
	return s.flush(ctx)
}

// sealAll writes the whole tail to the file, while loads wait. maintaining and mu are held.
func (s *Store) sealAll(ctx context.Context) error {
	for range 2 {
		s.turn()
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// turn lets loads go to the other generation, unless that is not sealed yet or there is nothing to seal. maintaining and mu are held.
func (s *Store) turn() {
	if s.sealing != nil || s.tail.since.IsZero() {
		return
	}
	s.sealing = s.tail
	s.sealing.position = s.snapshot()
	s.tail = &generation{index: 1 - s.sealing.index}
}

// flush writes the generation that is being sealed, if any, to the file and checkpoints. maintaining is held.
func (s *Store) flush(ctx context.Context) error {
	if s.sealing != nil {
		if err := s.move(ctx, s.sealing); err != nil {
			return fmt.Errorf("seal: %w", err)
		}
		s.sealing, s.unsaved = nil, s.sealing.position
	}
	return s.checkpoint(ctx)
}

// move commits a generation to the file, rows and offsets in one transaction. Queries see the rows leave the tail at the same
// moment, since none takes its snapshots between the two commits.
func (s *Store) move(ctx context.Context, g *generation) error {
	unlock := func() {}
	defer func() { unlock() }()
	err := s.transact(ctx, s.keeper, func(ctx context.Context) error {
		if err := s.copyRows(ctx, g); err != nil {
			return err
		}
		s.cut.Lock()
		unlock = s.cut.Unlock
		return nil
	})
	if err != nil {
		return err
	}
	return s.empty(g)
}

// copyRows appends a generation to the file, and the offsets after it.
//
// The empty branch of the union has the rows inserted one after the other. DuckDB 1.5.5 otherwise writes them by several threads as row groups
// that belong to no transaction, and merges those into the table at the commit: a query whose snapshot is older and whose scan begins between the
// merge and the end of the commit sees some or all of the rows, which it sees in the tail too.
func (s *Store) copyRows(ctx context.Context, g *generation) error {
	for id := range g.streams {
		r := s.relations[id]
		nothing := "NULL" + strings.Repeat(", NULL", strings.Count(r.columns(), ","))
		if err := exec(ctx, s.keeper, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s UNION ALL SELECT %s FROM range(0)",
			r.table(), r.columns(), r.columns(), r.tail(g.index), nothing)); err != nil {
			return err
		}
	}
	return s.writeOffsets(ctx, g.position)
}

// empty removes a generation's rows from the tail. Were they to stay, queries would see them twice: an error is fatal.
func (s *Store) empty(g *generation) error {
	var b strings.Builder
	for id := range g.streams {
		b.WriteString(s.relations[id].emptyTail(g.index) + ";\n")
	}
	if b.Len() == 0 {
		return nil
	}
	if err := s.keeper.Exec(context.Background(), "BEGIN;\n"+b.String()+"COMMIT"); err != nil {
		return s.note(types.Errorf(types.Unavailable, "the store's tail could not be emptied: %w", &duck.FatalError{Message: err.Error()}))
	}
	return nil
}

// writeOffsets stores a position.
func (s *Store) writeOffsets(ctx context.Context, position map[types.PartitionID]types.Offset) error {
	rows := make([]string, 0, len(position))
	for p, n := range position {
		rows = append(rows, fmt.Sprintf("(%d, %d, %d)", p.Stream, p.Index, n))
	}
	if err := exec(ctx, s.keeper, "DELETE FROM leat.offsets"); err != nil || len(rows) == 0 {
		return err
	}
	return exec(ctx, s.keeper, "INSERT INTO leat.offsets VALUES "+strings.Join(rows, ", "))
}

// checkpoint makes durable what was committed to the file. Nothing else writes to it while maintaining is held, so DuckDB
// has no reason to refuse; if it does, the next Maintain tries again.
func (s *Store) checkpoint(ctx context.Context) error {
	if s.unsaved == nil && !s.redefined {
		return nil
	}
	done, err := s.keeper.Checkpoint(ctx)
	if done {
		s.setDurable(s.unsaved)
		s.unsaved, s.redefined = nil, false
	}
	return s.note(err)
}

// snapshot is a copy of the loaded position.
func (s *Store) snapshot() map[types.PartitionID]types.Offset {
	s.posMu.Lock()
	defer s.posMu.Unlock()
	return maps.Clone(s.loaded)
}

// setDurable raises durable to a position; streams that were dropped meanwhile stay away.
func (s *Store) setDurable(to map[types.PartitionID]types.Offset) {
	s.posMu.Lock()
	defer s.posMu.Unlock()
	for p, n := range to {
		if loaded, ok := s.loaded[p]; ok {
			s.durable[p] = min(n, loaded)
		}
	}
}
