package pipeline

import (
	"slices"
	"testing"
	"time"

	"leat/internal/engine/zset"
)

// Letters wait while nobody takes them, at most so many; the rest is counted. A restart sends what is left, once.
func TestLettersWait(t *testing.T) {
	w := newWorld(t, settings{quiet: true})
	often := settings{quiet: true, options: func(o *Options) { o.CommitEvery = time.Millisecond }}
	w.restart(often)
	w.letters.refuse = 1 << 30
	d := define(t, 150, "overflowing", overflowing(scan(streamA)))
	w.set(d)
	w.run()
	const most = outboxLetters + 2000
	for range most / 2000 {
		rows := w.random(streamA, 2000)
		for i := range rows {
			rows[i].v = 9
		}
		w.put(streamA, 0, rows...)
		w.settle(150)
	}
	w.await("all rows are counted", func() bool { return w.m.Status()[150].Failed == most })
	w.await("those beyond the bound are lost", func() bool { return w.m.Status()[150].LettersLost == most-outboxLetters })
	if n := len(w.letters.texts(150)); n != 0 {
		t.Errorf("%d letters were sent", n)
	}
	w.restart(often)
	w.letters.mu.Lock()
	w.letters.refuse = 0
	w.letters.mu.Unlock()
	w.set(d)
	w.run()
	w.await("the letters are sent", func() bool { return len(w.letters.texts(150)) == outboxLetters })
	w.put(streamA, 0, row{k: 77, v: 9, ts: start, weight: 1})
	w.await("there is room again", func() bool { return len(w.letters.texts(150)) == outboxLetters+1 })
	if !slices.Contains(w.letters.texts(150), `error +1 {"k":77,"v":9}`) {
		t.Errorf("letters like %s", w.letters.texts(150)[outboxLetters])
	}
	for _, l := range w.letters.got {
		if l.View != 150 || l.Reason == "" || l.At < start || l.Weight != 1 {
			t.Fatalf("letter %+v", l)
		}
	}
	if s := w.m.Status()[150]; s.Failed != most+1 || s.Error == "" {
		t.Errorf("%+v", s)
	}
}

// Without a taker rows are counted alone.
func TestNoLetters(t *testing.T) {
	w := newWorld(t, settings{})
	w.restart(settings{options: func(o *Options) { o.Letters = nil }})
	w.set(define(t, 150, "overflowing", overflowing(scan(streamA))))
	w.run()
	w.put(streamA, 0, row{k: 1, v: 9, ts: start, weight: 1}, row{k: 1, v: 1, ts: start, weight: 1})
	w.settle(150)
	w.await("the row is counted", func() bool { return w.m.Status()[150].Failed == 1 })
	if s := w.m.Status()[150]; s.Rows != 1 || s.LettersLost != 0 {
		t.Errorf("%+v", s)
	}
	numbers := &zset.Batch{N: 1, Cols: []*zset.Vec{{Type: bigInt, Len: 1, I64: []int64{1}}, {Type: bigInt, Len: 1, I64: []int64{2}}}}
	if got := records(zset.GatherBatch(numbers, []int32{0}), []string{"k", "k"}); len(got) != 1 || string(got[0]) != `{"k":1,"k_2":2}` {
		t.Errorf("names twice: %s", got)
	}
}
