package pebblelog

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Logger takes the log's own messages and Pebble's.
type Logger interface {
	Infof(format string, args ...any)
	Errorf(format string, args ...any)
}

// Options of Open. The zero value of each field is its default.
type Options struct {
	// FS is where the log lives; default the machine's file system.
	FS vfs.FS
	// Now is the clock; default time.Now. It may jump: stamps never go back.
	Now func() time.Time
	// Logger gets messages; default none.
	Logger Logger
	// CacheBytes is Pebble's block cache; default 8 MiB, at least 1 MiB.
	CacheBytes int64
	// MemTableBytes is the size of one of at most two memtables; default 16 MiB, 1 MiB to 1 GiB.
	MemTableBytes uint64
	// TailBytes bounds the decoded entries that are kept for readers at the end, over all partitions; default 64 MiB, negative keeps none.
	TailBytes int64
	// MinFree is the free space in bytes below which appends are refused; default 512 MiB, negative never refuses.
	MinFree int64
	// FreeSpace returns the free bytes of the disk that holds the log; default asks FS. It is called at most a hundred times a second.
	FreeSpace func() (uint64, error)
	// QueueBytes and QueueLength bound the appends that wait to be committed, beyond which callers wait; defaults 64 MiB and 16384.
	QueueBytes  int
	QueueLength int
	// DedupSpan is how long an idempotency key is remembered; default 24 h.
	DedupSpan time.Duration
	// DedupKeys is how many are remembered: the oldest are forgotten beyond it; default 1,000,000.
	DedupKeys int
	// ClockEvery is the time between two marks of the clock partition; 0 makes none.
	ClockEvery time.Duration
}

// withDefaults fills the fields that are zero.
func (o Options) withDefaults() Options {
	def(&o.FS, vfs.Default)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = quiet{}
	}
	def(&o.CacheBytes, 8<<20)
	def(&o.MemTableBytes, 16<<20)
	def(&o.TailBytes, 64<<20)
	def(&o.MinFree, 512<<20)
	def(&o.QueueBytes, 64<<20)
	def(&o.QueueLength, 16384)
	def(&o.DedupSpan, 24*time.Hour)
	def(&o.DedupKeys, 1_000_000)
	return o
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Validate reports every fault of options whose defaults were filled in.
func (o Options) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	o = o.withDefaults()
	check(o.CacheBytes >= 1<<20, "CacheBytes is %d; at least 1 MiB", o.CacheBytes)
	check(o.MemTableBytes >= 1<<20 && o.MemTableBytes <= 1<<30, "MemTableBytes is %d; 1 MiB to 1 GiB", o.MemTableBytes)
	check(o.QueueBytes > 0, "QueueBytes is %d; it must be positive", o.QueueBytes)
	check(o.QueueLength > 0, "QueueLength is %d; it must be positive", o.QueueLength)
	check(o.DedupSpan > 0, "DedupSpan is %s; it must be positive", o.DedupSpan)
	check(o.DedupKeys > 0, "DedupKeys is %d; it must be positive", o.DedupKeys)
	check(o.ClockEvery >= 0, "ClockEvery is %s; it must not be negative", o.ClockEvery)
	return errors.Join(errs...)
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
