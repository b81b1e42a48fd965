// Package bus is the contract of the durable log that every event passes through. Two implementations
// keep it: bus/pebblelog (embedded) and, later, bus/kafka; bus/bustest is the suite both must pass.
//
// A stream has partitions. Each partition is a sequence of entries with rising offsets. An entry is
// a batch of rows, or a mark: an entry without rows that only raises the watermark (silence marks) or
// tells the time (the clock partition). Time and lateness are stamped by the log, so a replay sees the same.
package bus

import (
	"context"
	"time"

	"leat/internal/types"
)

// Clock is the partition whose marks supply now() to continuous views: it is part of every offset vector.
var Clock = types.PartitionID{Stream: 0, Index: 0}

// StreamConfig is what the log must know of a stream before the first append to it.
type StreamConfig struct {
	ID         types.ObjectID
	Partitions uint32
	Time       types.TimeRule
}

// Part is one partition's share of an append. Its batch is not empty and is never changed after.
type Part struct {
	Partition types.PartitionID
	Batch     *types.Batch
}

// Dedup makes an append idempotent: a second append of the same Scope and Key within the span that the log remembers
// (Limits of the implementation) changes nothing and answers the first one's Ack with Duplicate set.
// With another Digest it fails with types.IdempotencyMismatch.
type Dedup struct {
	Scope  string
	Key    string
	Digest [32]byte
	// Note is kept with the key and given back to duplicates (the answer that the first one got); at most 4 KiB.
	Note []byte
}

// Epoch tags the output of a pipeline: the log refuses an epoch that is not greater than the
// producer's last, answering Duplicate (with the Ranges where it is the last), so recovery may send its outbox again.
type Epoch struct {
	Producer types.ObjectID
	Epoch    uint64
}

// Append is one request: all of its parts become durable and visible together, or none does. An append without
// parts is allowed where it has a Dedup or an Epoch, which it then only remembers.
type Append struct {
	Parts []Part
	Dedup *Dedup
	Epoch *Epoch
	// NoSync acknowledges before the fsync (durability = 'fast'). After a power loss such rows may be missing though readers saw them,
	// and their offsets are given again: a durable consumer may then be ahead of the log.
	NoSync bool
}

// Range is where one part landed: its rows have offsets First to Next-1 in order.
type Range struct {
	Partition   types.PartitionID
	First, Next types.Offset
}

// Ack answers an append once it is durable.
type Ack struct {
	// Ranges has one element per part, in the order of the request.
	Ranges    []Range
	At        time.Time
	Duplicate bool
	// Note is the first append's Dedup.Note where Duplicate is set.
	Note []byte
}

// Run is a piece of an entry that was appended at one moment.
type Run struct {
	// Rows counts the rows of the run, in order; 0 in a mark.
	Rows int
	// At is the log's clock in microseconds since 1970-01-01 UTC; it never goes back within a partition.
	At int64
	// Watermark is the partition's watermark just before the append, in microseconds of event time, or
	// types.NoWatermark. In a mark it is the watermark that the mark sets.
	Watermark int64
}

// Entry is one batch or mark as read from a partition. It is immutable and shared between readers.
type Entry struct {
	// First is the offset of the first row; row i has offset First+i. Next is the offset after the entry (a mark takes one).
	First, Next types.Offset
	// Batch is nil in a mark. All rows of a batch have one schema version.
	Batch *types.Batch
	Runs  []Run
}

// Bounds are the present limits of a partition.
type Bounds struct {
	// Start is the oldest offset still kept, End the one that the next row will get.
	Start, End types.Offset
	Watermark  int64
	// LastAt is the At of the last entry, 0 if there was none.
	LastAt int64
	// Rows counts the rows that are kept, Bytes is their size as stored.
	Rows, Bytes int64
}

// Log is the durable log. All methods may be called from any goroutine.
//
// Errors: a partition that was never configured is types.NotFound; a Read below Start is *TrimmedError; a damaged entry is *CorruptError
// and reading may go on at its Next; a full disk is types.DiskFull and an fsync that failed is types.Unavailable: then nothing of that
// append was acknowledged, and the log accepts no more until it is opened again (an fsync error leaves the page cache in an unknown state).
type Log interface {
	// Configure creates the stream's partitions or changes its rules; durable when it returns. Partitions can't become fewer.
	Configure(ctx context.Context, c StreamConfig) error
	// Append writes a request and returns once it is durable. An error of ctx (types.Canceled, types.Timeout) means that nothing was
	// written: once the log has begun with a request it answers it, which takes one fsync.
	Append(ctx context.Context, a *Append) (Ack, error)
	// Read returns whole entries from the one that holds offset from (its earlier rows included) up to about maxBytes of decoded
	// memory, at least one if there is any; none at the end of the partition. It never waits.
	Read(ctx context.Context, p types.PartitionID, from types.Offset, maxBytes int) ([]*Entry, error)
	// Subscribe tells which partitions have grown. It is bounded: one flag per partition, however often it grew.
	Subscribe() Subscription
	// Bounds returns the limits of a partition.
	Bounds(p types.PartitionID) (Bounds, error)
	// Position is the end of all partitions of the streams, as one consistent cut; of every stream when none is named.
	Position(streams ...types.ObjectID) types.Position
	// Trim forgets whole entries below an offset. The caller knows every durable consumer.
	Trim(ctx context.Context, p types.PartitionID, below types.Offset) error
	// Drop forgets a stream and all its entries.
	Drop(ctx context.Context, stream types.ObjectID) error
	// Incarnation is a random number made when the log was created or restored.
	Incarnation() uint64
	// Close stops appends, waits for those under way and closes the files.
	Close() error
}

// Subscription is one reader's bell. A new one rings at once for every partition that has entries.
type Subscription interface {
	// Next waits until some partition grew and returns those that did since the last call, sorted.
	Next(ctx context.Context) ([]types.PartitionID, error)
	Close()
}
