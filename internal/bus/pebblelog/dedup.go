package pebblelog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/bus"
	"leat/internal/types"
)

// pruneKeys bounds how many idempotency keys are forgotten at once.
const pruneKeys = 8192

type dedupHash [16]byte

// dedupKey is an append's idempotency key.
type dedupKey struct {
	hash   dedupHash
	digest [32]byte
	note   []byte
}

func newDedupKey(d *bus.Dedup) *dedupKey {
	b := binary.AppendUvarint(nil, uint64(len(d.Scope)))
	sum := sha256.Sum256(append(append(b, d.Scope...), d.Key...))
	return &dedupKey{hash: dedupHash(sum[:16]), digest: d.Digest, note: d.Note}
}

// dedupRecord is what is remembered of a key.
type dedupRecord struct {
	seq     uint64
	expires int64 // microseconds of the log's clock
	digest  [32]byte
	ack     bus.Ack
}

// epochRecord is a producer's last epoch.
type epochRecord struct {
	epoch uint64
	ack   bus.Ack
}

// repeated answers a request that was made before: with the first one's ack, once that is durable.
func (l *Log) repeated(g *group, r *request) (bool, error) {
	var first *bus.Ack
	if r.dedup != nil {
		rec, err := l.dedupRecord(g, r.dedup.hash)
		switch {
		case err != nil:
			return false, err
		case rec == nil || rec.expires <= l.stampNow():
		case rec.digest != r.dedup.digest:
			return false, types.Errorf(types.IdempotencyMismatch, "idempotency key %.80q was used before with another body", r.append.Dedup.Key).
				WithHint("use a new key for a new request")
		default:
			first = &rec.ack
		}
	}
	if e := r.append.Epoch; first == nil && e != nil {
		rec, err := l.epochRecord(g, e.Producer)
		if err != nil {
			return false, err
		}
		if rec != nil && e.Epoch <= rec.epoch {
			first = &bus.Ack{}
			if e.Epoch == rec.epoch {
				first = &rec.ack
			}
		}
	}
	if first == nil {
		return false, nil
	}
	r.ack = *first
	r.ack.Duplicate = true
	l.count.duplicates.Add(1)
	g.acks = append(g.acks, r)
	return true, nil
}

// remember keeps a request's idempotency key and epoch in the batch that has its rows.
func (l *Log) remember(g *group, r *request) {
	if d := r.dedup; d != nil {
		rec := &dedupRecord{seq: l.dedupNext, expires: l.lastAt + l.opts.DedupSpan.Microseconds(), digest: d.digest, ack: r.ack}
		rec.ack.Note = d.note
		l.dedupNext++
		g.dedups[d.hash] = rec
		l.set(g.batch, append([]byte{spaceDedup}, d.hash[:]...), rec.append(nil))
		l.set(g.batch, expiryKey(rec.seq), append(binary.BigEndian.AppendUint64(nil, uint64(rec.expires)), d.hash[:]...))
		if n := l.dedupNext - l.dedupFirst; n > uint64(l.opts.DedupKeys) && n%1024 == 0 {
			l.prune(g)
		}
	}
	if e := r.append.Epoch; e != nil {
		rec := &epochRecord{epoch: e.Epoch, ack: r.ack}
		g.epochs[e.Producer] = rec
		value := binary.AppendUvarint([]byte{recordVersion}, e.Epoch)
		l.set(g.batch, streamKey(spaceEpoch, e.Producer), appendAck(value, rec.ack))
	}
}

func expiryKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{spaceExpiry}, seq)
}

// prune forgets up to pruneKeys of the oldest keys, those that expired and those beyond the limit, but none of the present group.
func (l *Log) prune(g *group) {
	now, from := l.stampNow(), l.dedupFirst
	for end := l.dedupNext - uint64(len(g.dedups)); l.dedupFirst < end && l.dedupFirst < from+pruneKeys; l.dedupFirst++ {
		value, err := l.get(expiryKey(l.dedupFirst))
		if err != nil || len(value) != 24 {
			continue // damaged: its record stays, and expires when it is looked up
		}
		over := l.dedupNext-l.dedupFirst > uint64(l.opts.DedupKeys)
		if expires := int64(binary.BigEndian.Uint64(value)); expires > now && !over {
			break
		}
		key := append([]byte{spaceDedup}, value[8:]...)
		if rec, err := l.loadDedup(key); err == nil && rec != nil && rec.seq == l.dedupFirst && g.dedups[dedupHash(value[8:])] == nil {
			l.batchDelete(g.batch, key)
		}
	}
	if l.dedupFirst > from {
		if err := g.batch.DeleteRange(expiryKey(from), expiryKey(l.dedupFirst), nil); err != nil {
			panic("BUG: batch: " + err.Error())
		}
	}
}

func (l *Log) batchDelete(b *pebble.Batch, key []byte) {
	if err := b.Delete(key, nil); err != nil {
		panic("BUG: batch: " + err.Error())
	}
}

// get returns a copy of a key's value, nil where there is none.
func (l *Log) get(key []byte) ([]byte, error) {
	v, closer, err := l.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, types.Errorf(types.Corrupt, "reading the log: %w", err)
	}
	v = append([]byte{}, v...)
	return v, closer.Close()
}

func (l *Log) dedupRecord(g *group, h dedupHash) (*dedupRecord, error) {
	if rec := g.dedups[h]; rec != nil {
		return rec, nil
	}
	return l.loadDedup(append([]byte{spaceDedup}, h[:]...))
}

func (l *Log) loadDedup(key []byte) (*dedupRecord, error) {
	value, err := l.get(key)
	if value == nil || err != nil {
		return nil, err
	}
	return parseDedup(value)
}

func (l *Log) epochRecord(g *group, producer types.ObjectID) (*epochRecord, error) {
	if rec := g.epochs[producer]; rec != nil {
		return rec, nil
	}
	value, err := l.get(streamKey(spaceEpoch, producer))
	if value == nil || err != nil {
		return nil, err
	}
	if value[0] != recordVersion {
		return nil, types.Errorf(types.Corrupt, "epoch record format %d is not known", value[0])
	}
	r := reader{b: value[1:]}
	rec := &epochRecord{epoch: r.uvarint()}
	rec.ack = readAck(&r)
	if r.bad || len(r.b) > 0 {
		return nil, types.Errorf(types.Corrupt, "the epoch record of producer %d is malformed", producer)
	}
	return rec, nil
}

func (d *dedupRecord) append(dst []byte) []byte {
	dst = append(dst, recordVersion)
	dst = binary.AppendUvarint(dst, d.seq)
	dst = binary.AppendVarint(dst, d.expires)
	dst = append(dst, d.digest[:]...)
	return appendAck(dst, d.ack)
}

func parseDedup(b []byte) (*dedupRecord, error) {
	if len(b) == 0 || b[0] != recordVersion {
		return nil, types.Errorf(types.Corrupt, "idempotency record format is not known (this is %d)", recordVersion)
	}
	r := reader{b: b[1:]}
	d := &dedupRecord{seq: r.uvarint(), expires: r.varint()}
	copy(d.digest[:], r.take(32))
	d.ack = readAck(&r)
	if r.bad || len(r.b) > 0 {
		return nil, types.Errorf(types.Corrupt, "an idempotency record is malformed")
	}
	return d, nil
}

func appendAck(dst []byte, a bus.Ack) []byte {
	dst = binary.AppendVarint(dst, a.At.UnixMicro())
	dst = binary.AppendUvarint(dst, uint64(len(a.Ranges)))
	for _, r := range a.Ranges {
		dst = binary.AppendUvarint(dst, uint64(r.Partition.Stream))
		dst = binary.AppendUvarint(dst, uint64(r.Partition.Index))
		dst = binary.AppendUvarint(dst, uint64(r.First))
		dst = binary.AppendUvarint(dst, uint64(r.Next-r.First))
	}
	dst = binary.AppendUvarint(dst, uint64(len(a.Note)))
	return append(dst, a.Note...)
}

func readAck(r *reader) bus.Ack {
	a := bus.Ack{At: time.UnixMicro(r.varint()).UTC()}
	n := r.count(len(r.b))
	a.Ranges = make([]bus.Range, n)
	for i := range a.Ranges {
		p := types.PartitionID{Stream: types.ObjectID(r.uvarint()), Index: uint32(r.uvarint())}
		first := types.Offset(r.uvarint())
		a.Ranges[i] = bus.Range{Partition: p, First: first, Next: first + types.Offset(r.uvarint())}
	}
	if note := r.take(r.count(maxNote)); len(note) > 0 {
		a.Note = append([]byte(nil), note...)
	}
	return a
}
