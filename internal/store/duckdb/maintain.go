package duckdb

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"leat/internal/duck"
	"leat/internal/types"
)

// Maintain implements store.Store: it removes rows past their TTL once a minute, and checkpoints when the WAL is
// large or old enough. DuckDB makes commits wait for a checkpoint, so loads pause meanwhile; queries don't.
func (s *Store) Maintain(ctx context.Context) error {
	s.maintaining.Lock()
	defer s.maintaining.Unlock()
	now := s.opts.Now()
	if now.Sub(s.expired) >= s.opts.ExpireEvery {
		if err := s.expire(ctx); err != nil {
			return err
		}
		s.expired = now
	}
	s.mu.Lock()
	since, closed := s.since, s.closed
	s.mu.Unlock()
	if closed || since.IsZero() || now.Sub(since) < s.opts.CheckpointAfter && s.walBytes() < s.opts.CheckpointBytes {
		return nil
	}
	return s.checkpoint(ctx)
}

func (s *Store) walBytes() int64 {
	info, err := os.Stat(filepath.Join(s.opts.Dir, fileName+".wal"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// How often and in which rhythm a checkpoint looks for a moment without a load, before it makes loads wait.
const (
	checkpointTries = 100
	checkpointPause = time.Millisecond
)

// checkpoint moves the WAL into the file, and what was loaded before becomes durable. DuckDB refuses one while a transaction writes, so it has to
// begin between two loads.
func (s *Store) checkpoint(ctx context.Context) error {
	db, conn, err := s.reader(ctx)
	if err != nil {
		return err
	}
	defer db.Release(conn)
	for range checkpointTries {
		done, err := s.tryCheckpoint(ctx, conn)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(checkpointPause):
		}
	}
	// Loads follow each other without a gap: hold them up.
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.snapshot()
	done, err := conn.Checkpoint(ctx)
	if done {
		s.setDurable(before)
		s.since = time.Time{}
	}
	return s.note(err)
}

func (s *Store) tryCheckpoint(ctx context.Context, conn *duck.Conn) (bool, error) {
	before, began := s.snapshot(), s.opts.Now()
	done, err := conn.Checkpoint(ctx)
	if !done {
		return false, s.note(err)
	}
	s.setDurable(before)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = time.Time{}
	if !maps.Equal(before, s.snapshot()) {
		s.since = began
	}
	return true, nil
}

// snapshot is the position of committed loads.
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

// expire deletes rows whose TTL is over. In a table a key goes when all of its rows are old: were the winner removed before
// a loser that came later, the loser would be seen again.
func (s *Store) expire(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	for _, id := range s.order {
		r := s.relations[id]
		if r.Schema == nil || r.TTL <= 0 {
			continue
		}
		cutoff := fmt.Sprintf("make_timestamptz(%d)", s.opts.Now().Add(-r.TTL).UnixMicro())
		where := "_at <= " + cutoff
		if r.keyed() {
			keys := make([]string, len(r.Key))
			for i, k := range r.Key {
				keys[i] = columnName(k)
			}
			list := strings.Join(keys, ", ")
			where += fmt.Sprintf(" AND (%s) NOT IN (SELECT (%s) FROM %s WHERE _at > %s)", list, list, r.table(), cutoff)
		}
		if err := s.write(ctx, func(ctx context.Context) error {
			return s.exec(ctx, "DELETE FROM "+r.table()+" WHERE "+where)
		}); err != nil {
			return fmt.Errorf("remove old rows of %s: %w", r.Name, err)
		}
	}
	return nil
}
