package duckdb

import (
	"context"
	"fmt"
)

// Maintain implements store.Store: it seals the tail when that is large or old enough, and removes rows past their TTL once a minute.
func (s *Store) Maintain(ctx context.Context) error {
	now := s.opts.Now()
	s.mu.Lock()
	ripe := s.tail.bytes >= s.opts.SealBytes || !s.tail.since.IsZero() && now.Sub(s.tail.since) >= s.opts.SealAfter
	s.mu.Unlock()
	if ripe {
		if err := s.seal(ctx); err != nil {
			return err
		}
	}
	if err := s.healed(); err != nil {
		return err
	}
	s.maintaining.Lock()
	defer s.maintaining.Unlock()
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return nil
	}
	if now.Sub(s.expired) >= s.opts.ExpireEvery {
		if err := s.expire(ctx); err != nil {
			return err
		}
		s.expired = now
	}
	// What an earlier attempt left behind.
	return s.flush(ctx)
}

// expire deletes rows from the file whose TTL is over. In a table a key goes when all of its rows are old: were the winner removed before
// a loser that came later, the loser would be seen again. maintaining is held.
func (s *Store) expire(ctx context.Context) error {
	for _, id := range s.order {
		r := s.relations[id]
		if r.Schema == nil || r.TTL <= 0 {
			continue
		}
		cutoff := fmt.Sprintf("make_timestamptz(%d)", s.opts.Now().Add(-r.TTL).UnixMicro())
		where := "_at <= " + cutoff
		if r.keyed() {
			where += fmt.Sprintf(" AND (%s) NOT IN (SELECT (%s) FROM %s)", r.keys(), r.keys(), r.rows(r.keys(), "_at > "+cutoff))
		}
		if err := s.transact(ctx, s.keeper, func(ctx context.Context) error {
			return exec(ctx, s.keeper, "DELETE FROM "+r.table()+" WHERE "+where)
		}); err != nil {
			return fmt.Errorf("remove old rows of %s: %w", r.Name, err)
		}
	}
	return nil
}
