package query

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"leat/internal/types"
)

// moment is what one run sees: versions of the live relations that it reads, and how far the store is with the others.
type moment struct {
	service *Service
	reads   reads
	// pinned is nil where nothing live is read.
	pinned Pinned
	// loaded is how far the store is with the streams that the run reads there.
	loaded types.Position
}

// moment pins the present. The caller releases it.
func (s *Service) moment(ctx context.Context, r reads) (*moment, error) {
	m := &moment{service: s, reads: r}
	if len(r.stored) > 0 || len(r.live) == 0 {
		m.loaded = s.Store.Loaded()
		m.loaded.Cursors = slices.DeleteFunc(slices.Clone(m.loaded.Cursors), func(c types.Cursor) bool {
			return !slices.Contains(r.stored, c.Partition.Stream)
		})
	}
	if len(r.live) == 0 {
		return m, nil
	}
	var err error
	m.pinned, err = s.Live.Pin(ctx, r.live)
	return m, err
}

func (m *moment) release() {
	if m.pinned != nil {
		m.pinned.Release()
		m.pinned = nil
	}
}

// result tells how fresh the moment is.
func (m *moment) result(ctx context.Context) *Result {
	r := &Result{Position: m.position(), Watermark: types.NoWatermark}
	r.Lag = m.service.lag(ctx, r.Position)
	r.Watermark = m.watermark(r.Lag == 0)
	return r
}

// position is up to where the moment saw the log, at least: of each partition the least of those that it was read by.
func (m *moment) position() types.Position {
	if m.pinned == nil {
		return m.loaded
	}
	all := m.pinned.Positions()
	if len(all) == 1 && len(m.loaded.Cursors) == 0 {
		return all[0]
	}
	return least(append(all, m.loaded)...)
}

// least is, of each partition that some of the positions name, the least cursor.
func least(positions ...types.Position) types.Position {
	var out types.Position
	for _, p := range positions {
		out.Incarnation = p.Incarnation
		for _, c := range p.Cursors {
			i := slices.IndexFunc(out.Cursors, func(o types.Cursor) bool { return o.Partition == c.Partition })
			if i < 0 {
				out.Cursors = append(out.Cursors, c)
			} else {
				out.Cursors[i].Next = min(out.Cursors[i].Next, c.Next)
			}
		}
	}
	return types.NewPosition(out.Incarnation, out.Cursors)
}

// watermark is the least one of all that is read. The log's is that of a stream's stored rows only while the store has all of them.
func (m *moment) watermark(complete bool) int64 {
	least, known := int64(0), false
	note := func(w int64) {
		if !known || w < least {
			least, known = w, true
		}
	}
	for _, id := range m.reads.live {
		note(m.pinned.Watermark(id))
	}
	for _, e := range m.service.Log.Ends(m.reads.stored) {
		if !complete {
			return types.NoWatermark
		}
		note(e.Watermark)
	}
	if !known {
		return types.NoWatermark
	}
	return least
}

// lag is how long ago the oldest event was appended that a position doesn't include.
func (s *Service) lag(ctx context.Context, p types.Position) time.Duration {
	streams := make([]types.ObjectID, 0, len(p.Cursors))
	for _, c := range p.Cursors {
		if !slices.Contains(streams, c.Partition.Stream) {
			streams = append(streams, c.Partition.Stream)
		}
	}
	var oldest time.Duration
	for _, e := range s.Log.Ends(streams) {
		next := types.Offset(0)
		if i := slices.IndexFunc(p.Cursors, func(c types.Cursor) bool { return c.Partition == e.Partition }); i >= 0 {
			next = p.Cursors[i].Next
		}
		if next >= e.Next {
			continue
		}
		if at, ok := s.Log.At(ctx, e.Partition, next); ok {
			oldest = max(oldest, time.Since(time.UnixMicro(at)), time.Microsecond)
		}
	}
	return oldest
}

// stamp sums up all that the answer depends on.
func (m *moment) stamp(st *Statement, r Run) string {
	if !st.reads.stampable {
		return ""
	}
	b := append(make([]byte, 0, 256), st.sum[:]...)
	b = binary.AppendUvarint(b, uint64(r.Limit))
	for _, name := range st.verdict.Params {
		b = appendArg(b, r.Args[name])
	}
	for _, f := range st.verdict.Filters {
		b = appendArg(b, r.Args[f.Param])
	}
	for _, id := range m.reads.live {
		b = binary.BigEndian.AppendUint64(b, uint64(id))
		b = binary.BigEndian.AppendUint64(b, m.pinned.Change(id))
	}
	for _, c := range m.loaded.Cursors {
		b = binary.BigEndian.AppendUint64(b, uint64(c.Partition.Stream))
		b = binary.BigEndian.AppendUint32(b, c.Partition.Index)
		b = binary.BigEndian.AppendUint64(b, uint64(c.Next))
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

// appendArg appends an argument so that no two of them are alike.
func appendArg(b []byte, v any) []byte {
	switch v := v.(type) {
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
	case string:
		b = binary.AppendUvarint(append(b, 's'), uint64(len(v)))
		return append(b, v...)
	}
	return fmt.Appendf(b, "%T%q;", v, fmt.Sprint(v))
}

// wait returns once all that a query reads is as fresh as it has to be. A query of views alone doesn't wait for the store.
func (s *Service) wait(ctx context.Context, f Freshness, r reads) error {
	if err := s.reach(ctx, f.After, r); err != nil || f.MaxStaleness <= 0 {
		return err
	}
	// What was appended in the last MaxStaleness may be missing; the rest is waited for.
	m, err := s.moment(ctx, r)
	if err != nil {
		return err
	}
	seen := m.position()
	m.release()
	if s.lag(ctx, seen) <= f.MaxStaleness {
		return nil
	}
	var streams []types.ObjectID
	for _, c := range seen.Cursors {
		if !slices.Contains(streams, c.Partition.Stream) {
			streams = append(streams, c.Partition.Stream)
		}
	}
	now := types.Position{Incarnation: seen.Incarnation}
	for _, e := range s.Log.Ends(streams) {
		now.Cursors = append(now.Cursors, e.Cursor)
	}
	return s.reach(ctx, types.NewPosition(now.Incarnation, now.Cursors), r)
}

// reach waits for a position, and names what is missing where the time is over.
func (s *Service) reach(ctx context.Context, after types.Position, r reads) error {
	if len(after.Cursors) == 0 && after.Incarnation == 0 {
		return nil
	}
	var err error
	if len(r.live) > 0 {
		err = s.Live.Wait(ctx, after, r.live)
	}
	if err == nil && (len(r.live) == 0 || len(r.stored) > 0) {
		err = s.Waiter.Wait(ctx, after)
	}
	if !types.HasCode(err, types.Timeout) {
		return err
	}
	e := *types.AsError(err)
	e.Code = types.NotReached
	if missing := s.missing(after, r); missing != "" {
		e.Message = "the answer would miss " + missing + ": " + e.Message
	}
	return &e
}

// missing says what a moment lacks of a position, by the names of streams.
func (s *Service) missing(after types.Position, r reads) string {
	m, err := s.moment(context.Background(), r)
	if err != nil {
		return ""
	}
	defer m.release()
	lacks := map[types.ObjectID]types.Offset{}
	for _, have := range m.position().Cursors {
		for _, want := range after.Cursors {
			if want.Partition == have.Partition && want.Next > have.Next {
				lacks[want.Partition.Stream] += want.Next - have.Next
			}
		}
	}
	text := ""
	for _, id := range slices.Sorted(maps.Keys(lacks)) {
		if o := s.Catalog().ByID(id); o != nil {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d offsets of %s", lacks[id], types.QuoteIdent(o.Name))
		}
	}
	return text
}
