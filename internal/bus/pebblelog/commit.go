package pebblelog

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/bus"
	"leat/internal/types"
)

const (
	// groupBytes is when a group of requests is committed though more wait; it stays below half a memtable of the default size.
	groupBytes = 6 << 20
	// maxInFlight is how many groups may wait for their fsync. While one is written the next gathers: more would only make groups smaller.
	maxInFlight = 2
)

// group is what one Pebble batch commits.
type group struct {
	batch   *pebble.Batch
	sync    bool
	applied time.Time
	acks    []*request // answered once the group is durable
	entries []newEntry
	rows    int
	future  int
	marks   int
	// joins are entries that small appends still add to, in the order in which they began.
	joins  []*join
	dedups map[dedupHash]*dedupRecord
	epochs map[types.ObjectID]*epochRecord
	// barrier is closed once all groups before are done; such a group has nothing else.
	barrier chan struct{}
}

// newEntry is an entry to be published.
type newEntry struct {
	p      *partition
	entry  *bus.Entry
	bytes  int // decoded
	stored int
	after  state
}

// join gathers small appends to one partition into one entry.
type join struct {
	p       *partition
	info    *schemaInfo
	first   types.Offset
	batches []*types.Batch
	runs    []bus.Run
	rows    int
	bytes   int
	effect  effect
}

// commitLoop is the committer: the one goroutine that gives offsets and stamps and writes to Pebble.
func (l *Log) commitLoop() {
	defer close(l.acks)
	var reqs []*request
	for {
		l.inFlight <- struct{}{}
		reqs = l.queue.take(reqs)
		if reqs == nil {
			return
		}
		g := l.newGroup()
		size := 0
		for _, r := range reqs {
			if !r.claimed.CompareAndSwap(false, true) {
				continue
			}
			if r.control != nil {
				l.finish(g)
				l.runControl(r)
				l.inFlight <- struct{}{}
				g, size = l.newGroup(), 0
				continue
			}
			if err := l.accept(g, r); err != nil {
				r.fail(err)
				continue
			}
			if size += r.bytes; size >= groupBytes {
				l.finish(g)
				l.inFlight <- struct{}{}
				g, size = l.newGroup(), 0
			}
		}
		l.finish(g)
		clear(reqs)
	}
}

func (r *request) fail(err error) {
	r.err = err
	close(r.done)
}

// runControl runs a control request when every group before it is durable.
func (l *Log) runControl(r *request) {
	l.drain()
	if err := l.failed(); err != nil {
		r.fail(err)
		return
	}
	r.err = l.guard(r.control)
	close(r.done)
}

// drain waits until every group that was finished is durable or failed.
func (l *Log) drain() {
	g := &group{barrier: make(chan struct{})}
	l.acks <- g
	<-g.barrier
}

func (l *Log) newGroup() *group {
	return &group{batch: l.db.NewBatch(), dedups: map[dedupHash]*dedupRecord{}, epochs: map[types.ObjectID]*epochRecord{}}
}

// accept gives a request its offsets and stamps and adds it to the group, or says why not.
func (l *Log) accept(g *group, r *request) error {
	if err := l.failed(); err != nil {
		return err
	}
	if r.tick {
		err := l.tick(g)
		if err == nil {
			g.acks = append(g.acks, r)
		}
		return err
	}
	if done, err := l.repeated(g, r); done || err != nil {
		return err
	}
	for i := range r.parts {
		if r.parts[i].p.dropped {
			return notFound(r.parts[i].p.id)
		}
	}
	if err := l.checkDisk(); err != nil {
		return err
	}
	at := l.stampNow()
	r.ack = bus.Ack{Ranges: make([]bus.Range, len(r.parts)), At: time.UnixMicro(at).UTC()}
	for i := range r.parts {
		p := &r.parts[i]
		if rule := p.p.stream.rule.Load(); rule != p.rule {
			p.retime(rule)
		}
		if p.p.stampFor != r { // all parts of an append are stamped with the watermark before it
			p.p.stampFor, p.p.stamp = r, p.p.assigned.watermark
		}
		r.ack.Ranges[i] = bus.Range{Partition: p.p.id, First: p.p.assigned.next}
		l.addPart(g, p, bus.Run{At: at, Watermark: p.p.stamp})
		r.ack.Ranges[i].Next = p.p.assigned.next
	}
	g.acks = append(g.acks, r)
	g.sync = g.sync || !r.append.NoSync
	l.remember(g, r)
	return nil
}

// retime looks at the event times again: the stream's rule changed after the caller did.
func (p *part) retime(rule *types.TimeRule) {
	p.rule = rule
	p.times = timesOf(p.batch, *rule)
	for _, e := range p.chunks {
		e.times = timesOf(e.batch, *rule)
	}
}

// addPart appends a part's rows to its partition and raises its watermark.
func (l *Log) addPart(g *group, p *part, run bus.Run) {
	s := &p.p.assigned
	if p.chunks == nil {
		e := p.times.effectAt(run.At, *p.rule)
		g.future += e.future
		run.Rows = p.batch.Rows
		l.joinPart(g, p, run, e)
		s.watermark = max(s.watermark, e.watermark)
		return
	}
	l.flushJoin(g, p.p)
	for _, c := range p.chunks {
		e := c.times.effectAt(run.At, *p.rule)
		g.future += e.future
		run.Rows = c.batch.Rows
		first := s.next
		s.next += types.Offset(run.Rows)
		s.watermark = max(s.watermark, e.watermark)
		l.putRows(g, p.p, first, c, []bus.Run{run}, e)
	}
}

// joinPart adds a small part to the partition's growing entry.
func (l *Log) joinPart(g *group, p *part, run bus.Run, e effect) {
	var j *join
	for _, c := range g.joins {
		if c.p == p.p {
			j = c
		}
	}
	if j != nil && (j.info != p.info || j.rows+run.Rows > entryRows || j.bytes+p.bytes > entryBytes) {
		l.flushJoin(g, p.p)
		j = nil
	}
	if j == nil {
		j = &join{p: p.p, info: p.info, first: p.p.assigned.next}
		g.joins = append(g.joins, j)
	}
	j.batches = append(j.batches, p.batch)
	j.rows += run.Rows
	j.bytes += p.bytes
	if e.hasAge && (!j.effect.hasAge || e.age > j.effect.age) {
		j.effect.age, j.effect.hasAge = e.age, true
	}
	if n := len(j.runs) - 1; n >= 0 && j.runs[n].At == run.At && j.runs[n].Watermark == run.Watermark {
		j.runs[n].Rows += run.Rows
	} else {
		j.runs = append(j.runs, run)
	}
	p.p.assigned.next += types.Offset(run.Rows)
}

// flushJoin writes the partition's growing entry, if there is one.
func (l *Log) flushJoin(g *group, p *partition) {
	for i, j := range g.joins {
		if j.p == p {
			g.joins = append(g.joins[:i], g.joins[i+1:]...)
			l.writeJoin(g, j)
			return
		}
	}
}

func (l *Log) writeJoin(g *group, j *join) {
	e, err := encode(j.info, j.batches)
	if err != nil {
		panic(fmt.Sprintf("BUG: batches that were checked do not encode: %v", err))
	}
	l.putRows(g, j.p, j.first, e, j.runs, j.effect)
}

// putRows writes an entry with rows.
func (l *Log) putRows(g *group, p *partition, first types.Offset, e *encoded, runs []bus.Run, f effect) {
	s := &p.assigned
	l.putSchema(g, p.id.Stream, e.info)
	s.rows += uint64(e.batch.Rows)
	s.at = runs[len(runs)-1].At
	s.rowsAt = s.at
	if f.hasAge {
		p.ages.add(s.rows, f.age)
	} else {
		p.ages.expire(s.rows)
	}
	h := header{kind: kindRows, codec: e.codec, weights: e.batch.Weights != nil, first: first, rows: e.batch.Rows, runs: runs,
		age: f.age, hasAge: f.hasAge, fingerprint: e.info.fingerprint, rawLen: e.rawLen, payloadLen: len(e.payload), payloadCRC: e.crc}
	g.rows += h.rows
	l.put(g, p, h, e)
}

// put writes an entry whose partition's state already tells of it.
func (l *Log) put(g *group, p *partition, h header, e *encoded) {
	g.entries = append(g.entries, newEntry{p: p, entry: &bus.Entry{First: h.first, Next: h.next(), Runs: h.runs}})
	n := &g.entries[len(g.entries)-1]
	s := &p.assigned
	h.totalRows, h.totalBytes, h.watermark = s.rows, s.bytes, s.watermark
	var payload []byte
	if e != nil {
		n.entry.Batch, n.bytes, payload = e.batch, e.rawLen, e.payload
	}
	l.scratch = h.append(l.scratch[:0])
	n.stored = entryKeyLen + len(l.scratch) + len(payload)
	s.bytes += uint64(n.stored)
	op := g.batch.SetDeferred(entryKeyLen, len(l.scratch)+len(payload))
	appendEntryKey(op.Key[:0], p.id, h.next()-1)
	copy(op.Value[copy(op.Value, l.scratch):], payload)
	if err := op.Finish(); err != nil {
		panic(fmt.Sprintf("BUG: batch: %v", err))
	}
	n.after = *s
}

// putSchema stores a schema with the first entry of its stream that has it.
func (l *Log) putSchema(g *group, s types.ObjectID, info *schemaInfo) {
	k := streamSchema{s, info.fingerprint}
	if l.stored[k] {
		return
	}
	l.stored[k] = true
	l.set(g.batch, schemaKey(s, info.fingerprint), info.wire)
}

// set adds to a batch that is not yet applied, which cannot fail.
func (l *Log) set(b *pebble.Batch, key, value []byte) {
	if err := b.Set(key, value, nil); err != nil {
		panic(fmt.Sprintf("BUG: batch: %v", err))
	}
}

// finish applies a group and hands it to the goroutine that waits for its fsync.
func (l *Log) finish(g *group) {
	for _, j := range g.joins {
		l.writeJoin(g, j)
	}
	g.joins = nil
	g.applied = l.opts.Now()
	if !g.batch.Empty() && l.failed() == nil {
		err := l.guard(func() error {
			if g.sync {
				return l.db.ApplyNoSyncWait(g.batch, pebble.Sync)
			}
			return l.db.Apply(g.batch, pebble.NoSync)
		})
		if err != nil {
			l.poison(err)
		}
	}
	l.acks <- g
}

// ackLoop waits for the fsync of each group in order, publishes its entries and answers its requests.
func (l *Log) ackLoop() {
	for g := range l.acks {
		if g.barrier != nil {
			close(g.barrier)
			continue
		}
		if g.sync && !g.batch.Empty() && l.failed() == nil {
			if err := g.batch.SyncWait(); err != nil {
				l.poison(err)
			}
		}
		err := l.failed()
		if err == nil {
			l.publish(g)
		}
		for _, r := range g.acks {
			r.err = err
			close(r.done)
		}
		if err == nil {
			l.count.group(g, l.opts.Now().Sub(g.applied))
			if err := g.batch.Close(); err != nil {
				l.opts.Logger.Errorf("log: closing a batch: %v", err)
			}
		}
		<-l.inFlight
	}
}

// publish shows the entries of a durable group to readers, all at one moment.
func (l *Log) publish(g *group) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range g.entries {
		n.p.durable = n.after
		l.tails.add(n.p, n.entry, n.bytes)
	}
	for _, n := range g.entries {
		l.ringLocked(n.p.id)
	}
}

// stampNow is the log's clock: it never goes back.
func (l *Log) stampNow() int64 {
	l.lastAt = max(l.lastAt, l.opts.Now().UnixMicro())
	return l.lastAt
}
