// Package state keeps the engine's arrangements: ordered maps from bytes to bytes, larger than memory if need be, changed by one
// writer, read in immutable versions by many, and committed atomically together with the position they stand for.
package state

// TableID names one arrangement within a store for ever. Lowering a plan gives them out in a fixed order.
type TableID uint32

// Store holds the arrangements of one pipeline. One goroutine writes (Table, and all methods of tables, Commit); Snapshots may be read and
// Stats called from any. A failed disk makes Err non-nil for good: reads then find nothing, writes do nothing, and the owner, who asks Err
// after each step, discards what the step made and opens the store anew.
type Store interface {
	// Table returns the arrangement with that ID, made empty if it was not there. The same ID gives the same table.
	Table(id TableID) Table
	// Drop forgets a table and its rows.
	Drop(id TableID)
	// Commit makes the present content of all tables durable, together with meta (offsets, watermarks, outbox): after a crash the store has
	// the content and meta of the last Commit that returned, or of one that was under way. sync false leaves the fsync to the system: a
	// power cut may then go back to an earlier Commit, never to a mixture.
	Commit(meta []byte, sync bool) error
	// Meta is what the last Commit stored; nil in a new store.
	Meta() []byte
	// Err is the first failure, or nil.
	Err() error
	// Stats tells sizes.
	Stats() Stats
	// Close releases the store without a commit.
	Close() error
}

// Stats are a store's sizes in bytes.
type Stats struct {
	// Memory is what the store holds in memory now, Disk what it has in files.
	Memory, Disk int64
	// Uncommitted is about how much changed since the last commit: memory that no budget can free, so commit before it is a great part of it.
	Uncommitted int64
	// Rows per table, estimated where much is on disk.
	Tables map[TableID]TableStats
}

// TableStats are one table's sizes.
type TableStats struct{ Rows, Bytes int64 }

// Reader reads one table. Keys and values that it gives are valid until the next call on the same reader or its iterators, and for a
// Table's until its next change; copy what has to last. Keys order as bytes.
type Reader interface {
	// Get returns the value under key; ok is false where there is none.
	Get(key []byte) (value []byte, ok bool)
	// Scan iterates over the keys k with lower <= k < upper in order; a nil upper is without end.
	Scan(lower, upper []byte) Iterator
}

// Table is one arrangement as its writer sees it, its own changes included.
type Table interface {
	Reader
	// Put sets the value under key. It copies both.
	Put(key, value []byte)
	// Delete removes key if it is there.
	Delete(key []byte)
	// Add adds delta to the weight under key, without reading it from disk: the value of such a key is its weight as WeightOf reads it. A
	// weight that becomes 0 is gone. A table uses either Put or Add.
	Add(key []byte, delta int64)
	// DeleteRange removes the keys k with lower <= k < upper.
	DeleteRange(lower, upper []byte)
	// Snapshot is the table's content now; it stays as it is while the table changes. Close it, or its memory is kept.
	Snapshot() Snapshot
}

// Snapshot is an immutable version of a table. Get, Scan and ScanDown of one snapshot may be called from any goroutine: what they return
// stays valid until Close.
type Snapshot interface {
	Reader
	// ScanDown iterates over the keys that Scan gives for the same bounds, in the opposite order.
	ScanDown(lower, upper []byte) Iterator
	Close()
}

// Iterator walks over entries in key order, or in the opposite one:
//
//	for it := t.Scan(lo, hi); it.Next(); { it.Key(); it.Value() }
//
// It closes itself at the end; Close it where the walk stops before. The table must not change during the walk.
type Iterator interface {
	Next() bool
	Key() []byte
	Value() []byte
	Close()
}

// Prefix returns the bounds that Scan needs for all keys that begin with p; upper is nil where p has no successor. It may return p itself
// as lower, and appends upper to buf.
func Prefix(p, buf []byte) (lower, upper []byte) {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] != 0xff {
			upper = append(buf[:0], p[:i+1]...)
			upper[i]++
			return p, upper
		}
	}
	return p, nil
}
