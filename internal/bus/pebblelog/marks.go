package pebblelog

import (
	"context"
	"time"

	"leat/internal/bus"
	"leat/internal/types"
)

// tickEvery is how often Run looks for silent partitions, due clock marks and expired keys.
const tickEvery = time.Second

// Run does the log's work in the background until ctx ends: silence marks, clock marks, forgetting idempotency keys.
func (l *Log) Run(ctx context.Context) error {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if err := l.Tick(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// Tick does once what Run does each second.
func (l *Log) Tick(ctx context.Context) error {
	return l.submit(ctx, &request{tick: true, done: make(chan struct{})})
}

// tick appends the marks that are due and forgets old keys, within a group.
func (l *Log) tick(g *group) error {
	if err := l.failed(); err != nil {
		return err
	}
	at := l.stampNow()
	l.prune(g)
	l.count.dedupKeys.Store(int64(l.dedupNext - l.dedupFirst))
	if err := l.checkDisk(); err != nil {
		return nil //nolint:nilerr // appends say so; marks can wait
	}
	l.mu.RLock()
	streams := make([]*stream, 0, len(l.streams))
	for _, s := range l.streams {
		streams = append(streams, s)
	}
	l.mu.RUnlock()
	for _, s := range streams {
		if s.id == bus.Clock.Stream {
			if p := s.parts[0]; l.opts.ClockEvery > 0 && at-p.assigned.at >= l.opts.ClockEvery.Microseconds() {
				l.mark(g, p, at, types.NoWatermark)
			}
			continue
		}
		if err := l.markSilent(g, s, at); err != nil {
			return err
		}
	}
	return nil
}

// markSilent appends a mark to each partition of a stream that was silent long enough and whose watermark the mark raises.
func (l *Log) markSilent(g *group, s *stream, at int64) error {
	rule := *s.rule.Load()
	idle := rule.IdleAfter().Microseconds()
	if !rule.Watermarked || idle == 0 {
		return nil
	}
	for _, p := range s.parts { // only the committer makes parts longer
		st := p.assigned
		since := at - idle
		if st.rows == 0 {
			since = 0 // it has no ages to go by: the others' watermarks are all there is, also while they are silent
		}
		others := othersLeast(s, p, since)
		if at-p.silentSince(at, others) < idle {
			continue
		}
		age, known := int64(0), false
		if st.watermark != types.NoWatermark {
			if err := l.loadAges(p); err != nil {
				return err
			}
			age, known = p.ages.largest()
		}
		wm := silentWatermark(at, age, known, rule.Delay, others)
		if wm > st.watermark {
			l.mark(g, p, at, wm)
		}
	}
	return nil
}

// silentSince is since when a partition has been silent at a moment. One without rows is from when the others were first seen to have a
// watermark: it must not hold back the windows of its stream for ever.
func (p *partition) silentSince(at, others int64) int64 {
	if p.assigned.rows > 0 || p.assigned.at > 0 {
		return p.assigned.at
	}
	if others == types.NoWatermark {
		return at
	}
	if p.emptySince == 0 {
		p.emptySince = at
	}
	return p.emptySince
}

// othersLeast is the least watermark of the stream's other partitions that had rows after since;
// types.NoWatermark if there are none or one has no watermark.
func othersLeast(s *stream, p *partition, since int64) int64 {
	least, found := int64(0), false
	for _, q := range s.parts {
		if q == p || q.assigned.rowsAt <= since {
			continue
		}
		if !found || q.assigned.watermark < least {
			least, found = q.assigned.watermark, true
		}
	}
	if !found {
		return types.NoWatermark
	}
	return least
}

// silentWatermark is what silence at a moment means for a partition's watermark: the greater of what its own rows' age
// and what the stream's other partitions allow.
func silentWatermark(at, age int64, known bool, delay time.Duration, others int64) int64 {
	wm := others
	if known {
		wm = max(wm, minus(satSub(at, age), delay))
	}
	return wm
}

// mark appends a mark.
func (l *Log) mark(g *group, p *partition, at, watermark int64) {
	l.flushJoin(g, p)
	s := &p.assigned
	first := s.next
	s.next++
	s.at, s.watermark = at, watermark
	g.sync = true
	g.marks++
	l.put(g, p, header{kind: kindMark, first: first, runs: []bus.Run{{At: at, Watermark: watermark}}}, nil)
}

// loadAges reads back the ages of the rows that were appended before the log was opened, as far as the window reaches.
func (l *Log) loadAges(p *partition) error {
	if p.agesLoaded {
		return nil
	}
	newer := p.ages.q
	var older []agePoint // newest first
	it, err := l.iterate(p.id, p.start, p.agesFrom)
	if err != nil {
		return err
	}
	total, reached := p.assigned.rows, false
	for ok := it.Last(); ok && !reached; ok = it.Prev() {
		if p.saved != nil && entryLast(it.Key()) < p.saved.Next {
			break
		}
		v, err := it.ValueAndErr()
		if err != nil {
			break
		}
		h, _, err := parseHeader(v)
		if err != nil {
			continue // a damaged entry has no say
		}
		if reached = h.totalRows+ageWindow <= total; !reached && h.hasAge {
			older = append(older, agePoint{h.totalRows, h.age})
		}
	}
	if err := it.Close(); err != nil {
		l.opts.Logger.Errorf("log: ages of partition %s: %v", p.id, err)
	}
	p.ages = ages{}
	if p.saved != nil && !reached {
		for _, a := range p.saved.Ages {
			p.ages.add(uint64(a[0]), a[1])
		}
	}
	for i := len(older) - 1; i >= 0; i-- {
		p.ages.add(older[i].rows, older[i].age)
	}
	for _, a := range newer {
		p.ages.add(a.rows, a.age)
	}
	p.ages.expire(total)
	p.agesLoaded = true
	return nil
}
