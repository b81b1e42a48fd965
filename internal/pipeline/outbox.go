package pipeline

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"leat/internal/bus"
	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// Letters takes rows that views left out.
type Letters interface {
	// Append makes letters durable, all or none. A repeated epoch changes nothing and is no error.
	Append(ctx context.Context, epoch bus.Epoch, letters []Letter) error
}

// Letter is a row that a view left out.
type Letter struct {
	View types.ObjectID `json:"view"`
	// Kind is error, an expression failed, or late.
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	// Weight is negative where a row that was left out before is retracted.
	Weight int64 `json:"weight"`
	// Record is the row as a JSON object, as it came to the operator that left it out.
	Record json.RawMessage `json:"record"`
	// At is the wall clock's time in µs.
	At int64 `json:"at"`
}

// What an outbox holds at most, committed or not.
const (
	outboxLetters = 10_000
	outboxBytes   = 8 << 20
)

// outbox keeps letters from the step that made them until they are sent: those since the last commit in memory, the others in a table of the
// state, under epoch and number. So a commit decides what is sent, and a crash repeats what it can't know to be sent, under the same epoch.
type outbox struct {
	table state.Table
	// off is set where nobody takes letters.
	off bool
	now func() time.Time
	// lost counts letters that had no room.
	lost *atomic.Int64

	epoch uint64
	fresh []Letter
	// letters and bytes are of all that is held.
	letters, bytes int
	stored         bool
}

func newOutbox(table state.Table, epoch uint64, o *Options, lost *atomic.Int64) *outbox {
	x := &outbox{table: table, off: o.Letters == nil, now: o.Now, lost: lost, epoch: epoch}
	for it := table.Scan(nil, nil); it.Next(); {
		x.letters++
		x.bytes += len(it.Value())
		x.stored = true
	}
	return x
}

// waiting reports whether letters wait for a commit.
func (x *outbox) waiting() bool { return len(x.fresh) > 0 }

// add takes rows of a batch, nil for all.
func (x *outbox) add(view types.ObjectID, kind, reason string, b *zset.Batch, rows []int32, names []string) {
	if x.off {
		return
	}
	n := b.N
	if rows != nil {
		n = len(rows)
	}
	room := min(n, outboxLetters-x.letters)
	if x.bytes >= outboxBytes {
		room = 0
	}
	x.lost.Add(int64(n - room))
	if room == 0 {
		return
	}
	if rows == nil {
		for i := range int32(room) {
			rows = append(rows, i)
		}
	}
	b = zset.GatherBatch(b, rows[:room])
	at := x.now().UnixMicro()
	for i, record := range records(b, names) {
		if x.bytes >= outboxBytes {
			x.lost.Add(int64(b.N - i))
			return
		}
		x.fresh = append(x.fresh, Letter{View: view, Kind: kind, Reason: reason, Weight: b.Weight(i), Record: record, At: at})
		x.letters++
		x.bytes += len(record) + len(reason)
	}
}

// store moves the fresh letters into the state, under an epoch of their own. Epochs begin at the time in µs, so that those of a state that
// was lost are below.
func (x *outbox) store() {
	if len(x.fresh) == 0 {
		return
	}
	x.epoch = max(x.epoch+1, uint64(max(0, x.now().UnixMicro())))
	for i, l := range x.fresh {
		text, err := json.Marshal(l)
		if err != nil {
			x.lost.Add(1) // a record that is no JSON: it can't be repaired anyway
			continue
		}
		x.table.Put(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, x.epoch), uint32(i)), text)
	}
	x.fresh, x.stored = nil, true
}

// send sends the letters in the state, epoch by epoch, and takes them out; sent is true where it took any out.
func (x *outbox) send(ctx context.Context, pipeline types.ObjectID, to Letters) (sent bool, err error) {
	for x.stored {
		epoch, letters, err := x.oldest()
		if err != nil {
			return sent, err
		}
		if len(letters) > 0 {
			if err := to.Append(ctx, bus.Epoch{Producer: pipeline, Epoch: epoch}, letters); err != nil {
				return sent, err
			}
			key := binary.BigEndian.AppendUint64(nil, epoch)
			x.table.DeleteRange(key, binary.BigEndian.AppendUint64(nil, epoch+1))
			sent = true
			continue
		}
		x.stored, x.letters, x.bytes = false, len(x.fresh), 0
		for _, l := range x.fresh {
			x.bytes += len(l.Record) + len(l.Reason)
		}
	}
	return sent, nil
}

// oldest returns the stored letters of the oldest epoch.
func (x *outbox) oldest() (epoch uint64, letters []Letter, err error) {
	it := x.table.Scan(nil, nil)
	for it.Next() {
		e := binary.BigEndian.Uint64(it.Key())
		if len(letters) > 0 && e != epoch {
			it.Close()
			break
		}
		epoch = e
		var l Letter
		if err := json.Unmarshal(it.Value(), &l); err != nil {
			it.Close()
			return 0, nil, fmt.Errorf("a stored letter: %w", err)
		}
		letters = append(letters, l)
	}
	return epoch, letters, nil
}
