package pipeline

import (
	"context"
	"slices"
	"time"
)

// lettersEvery is how often letters that wait cause a commit: they are sent after it.
const lettersEvery = time.Second

// commitDue commits where it is time to.
func (p *pipeline) commitDue(ctx context.Context) error {
	if !p.dirty && !p.outbox.stored {
		return nil
	}
	p.measure()
	if time.Since(p.lastCommit) < p.opts.CommitEvery && !p.outbox.waiting() {
		return nil
	}
	return p.commit(ctx)
}

// commit makes the steps so far durable: state, offsets, watermarks and letters at once. Then it sends the letters.
func (p *pipeline) commit(ctx context.Context) error {
	if !p.dirty && p.durable != nil {
		p.deliver(ctx)
		return nil
	}
	if err := p.fault("before commit"); err != nil {
		return err
	}
	p.outbox.store()
	m := p.meta()
	text, err := m.encode()
	if err != nil {
		return err
	}
	if err := p.store.Commit(text, true); err != nil {
		return err
	}
	p.dirty, p.uncommitted, p.progressed, p.lastCommit = false, 0, true, time.Now()
	p.setDurable(m)
	if err := p.fault("after commit"); err != nil {
		return err
	}
	p.deliver(ctx)
	return p.fault("after letters")
}

func (p *pipeline) meta() *meta {
	m := &meta{Incarnation: p.opts.Log.Incarnation(), Steps: p.steps, Epoch: p.outbox.epoch}
	for id, k := range p.reader.marks() {
		m.Marks = append(m.Marks, metaMark{Stream: id.Stream, Index: id.Index, Next: k.next, Watermark: k.watermark, Origin: k.origin})
	}
	slices.SortFunc(m.Marks, func(a, b metaMark) int { return a.partition().Compare(b.partition()) })
	for _, v := range p.views {
		mv := metaView{ID: v.ID, Slot: v.slot, Plan: v.digest, Live: v.live, Failed: v.stats.failed.Load(), Late: v.stats.late.Load()}
		for _, x := range v.indexes {
			mv.Indexes = append(mv.Indexes, metaIndex{ID: x.ID, Columns: x.Columns, Place: x.place, Built: v.table.Built(x.ID)})
		}
		m.Views = append(m.Views, mv)
	}
	return m
}

// deliver sends the letters that are committed. What can't be sent now stays, and is tried again with the next commit.
func (p *pipeline) deliver(ctx context.Context) {
	if p.opts.Letters == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliverTimeout)
	defer cancel()
	sent, err := p.outbox.send(ctx, p.id, p.opts.Letters)
	if sent {
		p.dirty = true // the next commit forgets them
	}
	if err != nil {
		p.log.Warn("rows that views left out could not be sent to the dead letters yet", "error", err)
	}
}

// deliverTimeout bounds how long a pipeline stands still for its letters.
const deliverTimeout = 5 * time.Second
