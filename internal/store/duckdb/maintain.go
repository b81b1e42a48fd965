package duckdb

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Maintain implements store.Store: it removes rows past their TTL once a minute, and checkpoints when the WAL is
// large or old enough. Loads wait meanwhile; queries don't.
func (s *Store) Maintain(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	now := s.opts.Now()
	if now.Sub(s.expired) >= s.opts.ExpireEvery {
		if err := s.expire(ctx); err != nil {
			return err
		}
		s.expired = now
	}
	if s.since.IsZero() {
		return nil
	}
	if now.Sub(s.since) < s.opts.CheckpointAfter && s.walBytes() < s.opts.CheckpointBytes {
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

// checkpoint moves the WAL into the file and what was loaded becomes durable. s.mu is held, so nothing is loaded meanwhile.
func (s *Store) checkpoint(ctx context.Context) error {
	if err := s.heal(); err != nil {
		return err
	}
	if done, err := s.writer.Checkpoint(ctx); err != nil || !done {
		// Not done: the next call tries again.
		return s.note(err)
	}
	s.posMu.Lock()
	s.durable = maps.Clone(s.loaded)
	s.posMu.Unlock()
	s.since = time.Time{}
	return nil
}

// expire deletes rows whose TTL is over. In a table a key goes when all of its rows are old: were the winner removed before
// a loser that came later, the loser would be seen again.
func (s *Store) expire(ctx context.Context) error {
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
