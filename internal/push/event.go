// Package push hands changes of views and of endpoints' results to many subscribers. A feed is one thing that is watched: its newest version
// and a bounded ring of the changes that led there. A subscriber is a cursor into the ring and has no queue of its own: who is near the end
// shares what was encoded once for all, who lags gets the net change, and who fell off the ring has to begin anew.
package push

import (
	"slices"
	"sync"
	"time"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// Kind is what an Event tells.
type Kind uint8

// The kinds of events.
const (
	// Snapshot is a page of the rows at the beginning; Last says that it is the last one, which may be empty.
	Snapshot Kind = iota + 1
	// Changes are the net changes of one or more whole steps.
	Changes
	// Progress says that the position has moved and no row has changed.
	Progress
	// Reset says that what the subscriber knows is void; a snapshot follows, where one was asked for, else the changes from now on.
	Reset
	// Idle says nothing but that the subscription is there.
	Idle
)

// Mark is a moment of what is watched.
type Mark struct {
	// Position is up to where the log was read, Watermark the combined one in µs or types.NoWatermark.
	Position  types.Position
	Watermark int64
}

// Event is what a subscriber is told at once. It is immutable and shared between subscribers.
type Event struct {
	Kind Kind
	Shape
	// Rows of a Snapshot have weights above 0, those of Changes any but 0. With a key, Changes have at most one row of weight -1 (as it was)
	// and one of +1 (as it is) under each; a page or the changes of nothing have none (nil).
	Rows *zset.Batch
	Last bool
	Mark
	// ID names the moment behind the event, for Options.From of whoever comes again; "" of a Reset, and of pages but the last.
	ID string
	// Lag of Progress is how long ago the oldest event was appended that the position doesn't include; 0 where it includes all.
	Lag time.Duration
	// Reason of a Reset is a few words for people.
	Reason string

	// at is when the change was published.
	at      time.Time
	encoded encodings
}

// Shape is what rows look like.
type Shape struct {
	// Columns are those of Rows, and Key the positions of the key columns among them: nil where there is no key, empty where there is one row
	// at most.
	Columns []types.Column
	Key     []int
}

// encodings keep the forms of an event that subscribers have asked for.
type encodings struct {
	mu    sync.Mutex // guards forms
	forms map[Form][][]byte
}

// IdleEvent is an event of kind Idle.
func IdleEvent() *Event { return &Event{Kind: Idle} }

// Equal reports whether rows look the same.
func (s Shape) Equal(o Shape) bool {
	return (s.Key == nil) == (o.Key == nil) && slices.Equal(s.Key, o.Key) && slices.EqualFunc(s.Columns, o.Columns, func(a, b types.Column) bool {
		return a.Name == b.Name && a.Type.Equal(b.Type)
	})
}
