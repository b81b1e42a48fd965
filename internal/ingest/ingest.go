// Package ingest is the way in: it decodes what clients send, checks it against the stream's schema, lets the schema grow,
// and appends rows and dead letters to the log in one append. SQL's INSERT and DELETE and single-row PUT and DELETE pass
// through it too. The order of locks and the promises are in docs/ingest.md.
package ingest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"leat/internal/auth"
	"leat/internal/bus"
	"leat/internal/catalog"
	"leat/internal/codec"
	"leat/internal/types"
)

// Catalog is what ingest must know of the definitions. Answers come from the newest snapshot.
type Catalog interface {
	// ByName finds an object; it is immutable.
	ByName(name string) (*catalog.Object, bool)
	// AutoStreams counts the streams that first events made.
	AutoStreams() int
}

// Schemas changes definitions on behalf of ingest. Both calls take the stream's fence for
// writing and return when log and store know the change; ingest holds no fence when it calls them.
type Schemas interface {
	// Evolve makes the stream fit records (JSON objects) as far as they allow: it adds columns, widens types, or creates the
	// stream (created is set). It returns the object as it is now, the same version when nothing was to be changed.
	Evolve(ctx context.Context, who auth.Principal, stream string, records [][]byte) (obj *catalog.Object, created bool, err error)
	// MarkWide sets Column.Wide of the columns with those IDs.
	MarkWide(ctx context.Context, id types.ObjectID, columns []int32) error
}

// Log is the part of bus.Log that ingest needs.
type Log interface {
	Append(ctx context.Context, a *bus.Append) (bus.Ack, error)
	Position(streams ...types.ObjectID) types.Position
	Incarnation() uint64
}

// Waiter waits until SQL sees a position, or ctx ends.
type Waiter interface {
	Wait(ctx context.Context, p types.Position) error
}

// Options are what a Service is made of; all are required.
type Options struct {
	Config  Config
	Catalog Catalog
	Schemas Schemas
	Log     Log
	Waiter  Waiter
	// Fences are shared with the Schemas.
	Fences *Fences
	// Backlog says how far the store is behind. It is called at most ten times a second, and must be quick.
	Backlog func() Backlog
	// Now is the clock of letters and limits.
	Now func() time.Time
}

// Service takes events and rows. All methods may be called from any goroutine; there are no goroutines of its own.
type Service struct {
	Options
	inFlight *budget
	pressure *pressure
	quota    *quota
	meters   *meters

	creating sync.Mutex    // held while a stream is created, so that their limit is exact
	turn     atomic.Uint64 // picks the partition of requests to streams without PARTITION BY
	decoders sync.Map      // types.ObjectID -> cachedDecoder
}

type cachedDecoder struct {
	obj     *catalog.Object
	decoder *codec.Decoder
}

// New makes a Service. A bad Config is an error that names every fault.
func New(o Options) (*Service, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	return &Service{
		Options:  o,
		inFlight: newBudget(o.Config.MaxInFlight, o.Config.InFlightWait),
		pressure: &pressure{read: o.Backlog, limit: o.Config.MaxBacklog, now: o.Now},
		quota:    newQuota(o.Config.MaxLetters, o.Config.MaxLetterBytes),
		meters:   newMeters(),
	}, nil
}

// Forget frees what is kept of a stream that was dropped.
func (s *Service) Forget(id types.ObjectID) {
	s.Fences.Forget(id)
	s.meters.forget(id)
	s.decoders.Delete(id)
}

// Metrics returns the counters.
func (s *Service) Metrics() Metrics {
	m := s.meters.snapshot()
	m.InFlightBytes = s.inFlight.inUse()
	kept := s.quota.kept()
	m.Letters, m.LetterBytes = kept.rows, kept.bytes
	return m
}

// Result is the answer to events or rows that were taken: all of it is durable.
type Result struct {
	// Accepted counts rows, DeadLetters the records that became dead letters.
	Accepted, DeadLetters int
	// FirstErrors says why, for the first 10.
	FirstErrors []*types.Error
	// Position is just after what was appended.
	Position types.Position
	// Created is set when these events made the stream.
	Created bool
	// Duplicate is set when an earlier request with the same Idempotency-Key did the work; the rest is its answer.
	Duplicate bool
}

// decoder returns the stream's decoder, kept from one request to the next.
func (s *Service) decoder(obj *catalog.Object, closed bool) *codec.Decoder {
	if c, ok := s.decoders.Load(obj.ID); ok && c.(cachedDecoder).obj == obj && closed == obj.Stream.Closed {
		return c.(cachedDecoder).decoder
	}
	d := codec.NewDecoder(obj.Stream.Schema, codec.Options{
		Name: obj.Name, Key: obj.Stream.PrimaryKey, Closed: closed,
		Fixed: append([]int32{obj.Stream.VersionColumn}, obj.Stream.PartitionBy...), EventTime: obj.Stream.Time.Column,
	})
	if closed == obj.Stream.Closed {
		s.decoders.Store(obj.ID, cachedDecoder{obj, d})
	}
	return d
}
