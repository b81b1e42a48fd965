package ingest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/uuid"

	"leat/internal/auth"
	"leat/internal/bus"
	"leat/internal/types"
)

// Reader runs one SELECT of ours in the store and hands each record of the result to visit.
type Reader interface {
	Select(ctx context.Context, sql string, visit func(arrow.RecordBatch) error) error
}

// DeadLetters lists, replays and drops dead letters. They are read from the store: the log is trimmed below what
// the store holds, so only the store has all of them, and it applies deletes and retention. Each call first waits until
// the store has what was acknowledged before. All methods may be called from any goroutine.
type DeadLetters struct {
	s      *Service
	reader Reader
	// changing is held by the one replay or purge that runs: two would append the same letter twice.
	changing chan struct{}
}

// Bounds of DeadLetters.
const (
	maxList       = 1000
	refreshEvery  = time.Minute
	replayLetters = 1000    // letters per append of a replay
	replayBytes   = 8 << 20 // and their raw bytes, at least one letter
	purgeLetters  = 10_000  // letters per append of a purge
)

// NewDeadLetters makes the service of s's letters.
func NewDeadLetters(s *Service, r Reader) *DeadLetters {
	return &DeadLetters{s: s, reader: r, changing: make(chan struct{}, 1)}
}

// Run counts the letters of each stream at once and then every minute, for the bounds of Config, until ctx ends.
func (d *DeadLetters) Run(ctx context.Context) error {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		if err := d.Refresh(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("counting dead letters: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Refresh counts the letters of each stream.
func (d *DeadLetters) Refresh(ctx context.Context) error {
	seen := d.s.quota.mark()
	if err := d.wait(ctx); err != nil {
		return err
	}
	found := map[types.ObjectID]usage{}
	err := d.reader.Select(ctx, "SELECT stream_id::UBIGINT, count(*)::BIGINT, "+
		"sum(octet_length(raw) + coalesce(strlen(message), 0) + coalesce(strlen(hint), 0) + 128)::BIGINT FROM "+DeadLetterName+" GROUP BY 1",
		func(r arrow.RecordBatch) error {
			for i := range int(r.NumRows()) {
				var c cells
				id, u := types.ObjectID(c.integer(r.Column(0), i)), usage{c.integer(r.Column(1), i), c.integer(r.Column(2), i)}
				if c.err != nil {
					return c.err
				}
				found[id] = u
			}
			return nil
		})
	if err != nil {
		return err
	}
	d.s.quota.refresh(seen, found)
	return nil
}

// Filter picks letters. The zero value picks all.
type Filter struct {
	// IDs, where not empty, are the letters; at most 1,000.
	IDs    []uuid.UUID
	Reason types.Code
	// Since and Before bound when the letters came: Since <= at < Before.
	Since, Before time.Time
	// After picks the letters that came after that one: the last of a list, to go on from there.
	After uuid.UUID
}

// List returns up to limit letters of a stream (at most 1,000; 0 is 100), oldest first. It needs the scope raw. A stream that
// was dropped is known by the name that it had.
func (d *DeadLetters) List(ctx context.Context, who auth.Principal, stream string, f Filter, limit int) ([]Letter, error) {
	if err := d.may(who, stream, auth.Raw); err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = 100
	}
	if err := d.wait(ctx); err != nil {
		return nil, err
	}
	return d.read(ctx, stream, f, uuid.Max, min(limit, maxList))
}

// Show returns one letter. It needs the scope raw for its stream; of others it is types.NotFound.
func (d *DeadLetters) Show(ctx context.Context, who auth.Principal, id uuid.UUID) (Letter, error) {
	if err := d.wait(ctx); err != nil {
		return Letter{}, err
	}
	found, err := d.read(ctx, "", Filter{IDs: []uuid.UUID{id}}, uuid.Max, 1)
	if err != nil {
		return Letter{}, err
	}
	if len(found) == 0 || !who.May(auth.Raw, found[0].Stream) {
		return Letter{}, types.Errorf(types.NotFound, "there is no dead letter %s", id)
	}
	return found[0], nil
}

// Purge drops a stream's letters that the filter picks and came before the call, and returns how many. It needs
// the scopes raw and append. Stopped half-way it has dropped the oldest.
func (d *DeadLetters) Purge(ctx context.Context, who auth.Principal, stream string, f Filter) (int, error) {
	if err := d.may(who, stream, auth.Raw, auth.Append); err != nil {
		return 0, err
	}
	release, err := d.change(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	purged, until := 0, uuid.Must(uuid.NewV7())
	for {
		if err := d.wait(ctx); err != nil {
			return purged, err
		}
		ids, err := d.ids(ctx, stream, f, until, purgeLetters)
		if err != nil || len(ids) == 0 {
			return purged, err
		}
		f.After = ids[len(ids)-1]
		if _, err := d.s.Log.Append(ctx, &bus.Append{Parts: []bus.Part{letterPart(letterDeletes(ids))}}); err != nil {
			return purged, err
		}
		purged += len(ids)
	}
}

func (d *DeadLetters) may(who auth.Principal, stream string, actions ...auth.Action) error {
	if err := types.CheckObjectName(stream); err != nil {
		return err
	}
	for _, a := range actions {
		if !who.May(a, stream) {
			return types.Errorf(types.PermissionDenied, "this token may not do that with the dead letters of %q", stream).
				WithHint("it needs the scope %s", a)
		}
	}
	return nil
}

// wait until the store has every letter acknowledged so far.
func (d *DeadLetters) wait(ctx context.Context) error {
	return d.s.Waiter.Wait(ctx, d.s.Log.Position(DeadLetterID))
}

// change waits for the turn to change letters. What release does last is to count letters again.
func (d *DeadLetters) change(ctx context.Context) (release func(), err error) {
	select {
	case d.changing <- struct{}{}:
		return func() {
			// The bounds are brought up to date by Run in any case.
			_ = d.Refresh(ctx)
			<-d.changing
		}, nil
	case <-ctx.Done():
		return nil, types.Errorf(types.Canceled, "waiting for another replay or purge: %w", ctx.Err())
	}
}

// letterColumns are what read selects, cast so that the Arrow types are known.
const letterColumns = "id::VARCHAR, stream_id::UBIGINT, stream, epoch_us(received_at)::BIGINT, reason, message, path, hint, " +
	"line::BIGINT, record::BIGINT, raw, truncated, format, token"

// read returns letters up to an ID, oldest first.
func (d *DeadLetters) read(ctx context.Context, stream string, f Filter, until uuid.UUID, limit int) ([]Letter, error) {
	where, err := d.where(stream, f, until)
	if err != nil {
		return nil, err
	}
	var out []Letter
	sql := fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY id LIMIT %d", letterColumns, DeadLetterName, where, limit)
	return out, d.reader.Select(ctx, sql, func(r arrow.RecordBatch) error {
		for i := range int(r.NumRows()) {
			l, err := letterOf(r, i)
			if err != nil {
				return err
			}
			out = append(out, l)
		}
		return nil
	})
}

// ids is read for the IDs alone.
func (d *DeadLetters) ids(ctx context.Context, stream string, f Filter, until uuid.UUID, limit int) ([]uuid.UUID, error) {
	where, err := d.where(stream, f, until)
	if err != nil {
		return nil, err
	}
	var out []uuid.UUID
	sql := fmt.Sprintf("SELECT id::VARCHAR FROM %s WHERE %s ORDER BY id LIMIT %d", DeadLetterName, where, limit)
	return out, d.reader.Select(ctx, sql, func(r arrow.RecordBatch) error {
		for i := range int(r.NumRows()) {
			var c cells
			id := c.uuid(r.Column(0), i)
			if c.err != nil {
				return c.err
			}
			out = append(out, id)
		}
		return nil
	})
}

// where prints the condition. Every value in it is a number, a UUID or a quoted literal.
func (d *DeadLetters) where(stream string, f Filter, until uuid.UUID) (string, error) {
	if len(f.IDs) > maxList {
		return "", types.Errorf(types.InvalidArgument, "%d dead letters were named; at most %d are allowed at once", len(f.IDs), maxList)
	}
	all := []string{fmt.Sprintf("id <= '%s'::UUID", until)}
	and := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if obj, ok := d.s.Catalog.ByName(stream); ok {
		and("stream_id = %d", obj.ID)
	} else if stream != "" {
		and("stream = %s", types.QuoteLiteral(stream))
	}
	if len(f.IDs) > 0 {
		ids := make([]string, len(f.IDs))
		for i, id := range f.IDs {
			ids[i] = "'" + id.String() + "'::UUID"
		}
		and("id IN (%s)", strings.Join(ids, ", "))
	}
	if f.Reason != "" {
		and("reason = %s", types.QuoteLiteral(string(f.Reason)))
	}
	if !f.Since.IsZero() {
		and("epoch_us(received_at) >= %d", f.Since.UnixMicro())
	}
	if !f.Before.IsZero() {
		and("epoch_us(received_at) < %d", f.Before.UnixMicro())
	}
	if f.After != uuid.Nil {
		and("id > '%s'::UUID", f.After)
	}
	return strings.Join(all, " AND "), nil
}
