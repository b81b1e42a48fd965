// Package query is the one door for reads: it authorises each relation that a SELECT names, has the guard check it, waits for
// a position if asked, and runs it in the store or on the engine's state. Endpoints, look-ups of rows and changes pass through it too.
package query

import (
	"context"
	"crypto/rand"
	"strings"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"leat/internal/catalog"
	"leat/internal/engine/op"
	"leat/internal/sql/guard"
	"leat/internal/store"
	"leat/internal/types"
)

// Bounds of reads.
const (
	// DefaultLimit is how many rows a result may have whose request names no limit; a cut result says so.
	DefaultLimit = 1_000_000
	// MaxLimit is the largest limit that a request may name.
	MaxLimit = 10_000_000
	// The last maxStatements endpoints, and texts of at most maxCachedText bytes stay prepared: at most 8 MiB of texts.
	maxStatements = 1024
	maxCachedText = 8 << 10
)

// Guard checks SELECTs; *guard.Guard is one.
type Guard interface {
	Check(ctx context.Context, text string, cat guard.Catalog) (*guard.Verdict, error)
	CheckFiltered(ctx context.Context, text string, cat guard.Catalog, restrict guard.Restrict) (*guard.Verdict, error)
	CheckArgs(ctx context.Context, text string, cat guard.Catalog, args map[string]any) error
}

// Waiter waits until the store has loaded up to a position; a position of another log is types.PositionGone at once.
type Waiter interface {
	Wait(ctx context.Context, p types.Position) error
}

// Log tells how far the log is. Its methods may be called from any goroutine.
type Log interface {
	// Ends are the ends of all partitions of the streams, and each one's watermark in µs (types.NoWatermark for none).
	Ends(streams []types.ObjectID) []End
	// At is when the row or mark at an offset was appended, in µs since 1970; ok is false where it can't be read.
	At(ctx context.Context, p types.PartitionID, o types.Offset) (at int64, ok bool)
}

// End is how far one partition is.
type End struct {
	types.Cursor
	Watermark int64
}

// Live serves the relations whose rows the engine keeps: materialized views, and tables.
type Live interface {
	// Serves reports whether a relation is one of them.
	Serves(id types.ObjectID) bool
	// Wait returns once they have read the log up to a position. Errors are those of Waiter, and types.Unavailable of a view that has failed.
	Wait(ctx context.Context, p types.Position, ids []types.ObjectID) error
	// Pin fixes what a query sees of some of them: one version of each pipeline. types.Unavailable while one catches up for the first time, which
	// it waits for a little.
	Pin(ctx context.Context, ids []types.ObjectID) (Pinned, error)
	// Lookup finds rows by their key.
	Lookup(ctx context.Context, o *catalog.Object, l Lookup) (*Found, error)
}

// Pinned is a moment of some live relations.
type Pinned interface {
	store.Live
	// Positions are up to where each pipeline had read.
	Positions() []types.Position
	// Watermark is the combined one of a relation in µs, types.NoWatermark where it has none.
	Watermark(id types.ObjectID) int64
	// Change numbers the contents of a relation while the process runs: equal numbers are equal rows.
	Change(id types.ObjectID) uint64
	// Release gives the versions back, once every reading of them is closed.
	Release()
	// View is a relation's rows at that moment, nil where it is none that was pinned. They are readable until Release.
	View(id types.ObjectID) *op.ViewSnapshot
}

// Options are what a Service works on; all are required.
type Options struct {
	// Catalog returns the newest definitions.
	Catalog func() *catalog.Snapshot
	// System are the relations of schema leat_system, by their names with the schema.
	System []string
	Store  store.Store
	Guard  Guard
	Waiter Waiter
	Live   Live
	Log    Log
	// Feeds is needed by Subscribe alone.
	Feeds Feeds
	// Planner may be nil: the store then answers all.
	Planner Planner
	// ObserveFast and ObserveStore, if set, are told how long an answer took on either path: of the store, until its first rows could be read.
	ObserveFast, ObserveStore func(time.Duration)
	// Ordering finds the keys of a SELECT's order; *guard.Guard has one. Only Page needs it, and Signer for its cursors.
	Ordering func(ctx context.Context, text string) ([]guard.Order, error)
	Signer   Signer
}

// Service answers reads. Its methods may be called from any goroutine; it has no goroutines of its own.
type Service struct {
	Options
	statements *lru.Cache[statementKey, *Statement]
	endpoints  *lru.Cache[endpointKey, *Statement]
	columns    *lru.Cache[columnsKey, []types.Column]
	// fastRuns and storeRuns count answers by their path.
	fastRuns, storeRuns atomic.Int64
	// liveResults and liveBytes count results that are kept up to date, of which liveGate lets some run at a time.
	liveResults liveCount
	liveBytes   atomic.Int64
	liveGate    chan struct{}
	// nonce tells the stamps of this process from those of others.
	nonce [16]byte
}

// New makes a Service.
func New(o Options) *Service {
	cache, err := lru.New[statementKey, *Statement](maxStatements)
	if err != nil {
		panic("BUG: the cache of statements: " + err.Error())
	}
	columns, err := lru.New[columnsKey, []types.Column](maxStatements)
	if err != nil {
		panic("BUG: the cache of columns: " + err.Error())
	}
	endpoints, err := lru.New[endpointKey, *Statement](maxStatements)
	if err != nil {
		panic("BUG: the cache of endpoints: " + err.Error())
	}
	s := &Service{Options: o, liveGate: newLiveGate(), endpoints: endpoints, statements: cache, columns: columns}
	_, _ = rand.Read(s.nonce[:]) // never fails, as crypto/rand says
	return s
}

// Metrics are counts since the start.
type Metrics struct {
	// Fast and Store are how many answers came straight from the engine's state, and from the store.
	Fast, Store int64
}

// Metrics returns the present counts.
func (s *Service) Metrics() Metrics { return Metrics{s.fastRuns.Load(), s.storeRuns.Load()} }

// Query prepares and runs a SELECT. ctx governs it until Rows is closed.
func (s *Service) Query(ctx context.Context, t Text, r Run) (*Result, error) {
	st, err := s.Prepare(ctx, t)
	if err != nil {
		return nil, err
	}
	return s.Run(ctx, st, r)
}

// relations shows the catalog to the guard.
type relations struct {
	snapshot *catalog.Snapshot
	system   []string
}

func (c relations) Relation(name string) (guard.Relation, bool) {
	for _, s := range c.system {
		if s == name {
			return guard.Relation{ID: systemID(name), Name: name}, true
		}
	}
	o := c.snapshot.ByName(name)
	if o == nil || o.Kind == catalog.EndpointKind {
		return guard.Relation{}, false
	}
	r := guard.Relation{ID: o.ID, Name: o.Name}
	if o.View != nil && !o.Continuous() {
		r.Query, r.Columns = o.View.Query, o.View.Columns
	}
	return r, true
}

// systemID is 0 but for the dead letters, whose rows are in the log like those of any table.
func systemID(name string) types.ObjectID {
	if strings.HasSuffix(name, ".dead_letters") {
		return catalog.DeadLetters
	}
	return 0
}

func (c relations) Names() []string {
	names := append([]string(nil), c.system...)
	for _, o := range c.snapshot.All() {
		if o.Kind != catalog.EndpointKind {
			names = append(names, o.Name)
		}
	}
	return names
}
