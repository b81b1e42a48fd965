package ingest

import (
	"sync"

	"leat/internal/types"
)

// Fences holds one fence per stream. Whoever appends holds a stream's fence for reading from the moment
// it looked the schema up until its append was acknowledged; whoever changes the schema holds it for writing
// from before the catalog's transaction until the log and the store know the change. So no append of
// an older version follows one of a newer in the log.
//
// The zero value is ready. All methods may be called from any goroutine. A fence is not re-entrant: let it
// go before asking for it again. It keeps one lock per stream ever seen until Forget.
type Fences struct {
	locks sync.Map // types.ObjectID -> *sync.RWMutex
}

// Read takes the stream's fence for reading and returns what lets it go.
func (f *Fences) Read(id types.ObjectID) (release func()) {
	l := f.of(id)
	l.RLock()
	return l.RUnlock
}

// Write takes the stream's fence for writing and returns what lets it go.
func (f *Fences) Write(id types.ObjectID) (release func()) {
	l := f.of(id)
	l.Lock()
	return l.Unlock
}

// Forget frees the lock of a stream that was dropped. Object IDs are never reused, and an append
// that still waits for the old lock finds the stream gone when it looks it up again.
func (f *Fences) Forget(id types.ObjectID) { f.locks.Delete(id) }

func (f *Fences) of(id types.ObjectID) *sync.RWMutex {
	if l, ok := f.locks.Load(id); ok {
		return l.(*sync.RWMutex)
	}
	l, _ := f.locks.LoadOrStore(id, new(sync.RWMutex))
	return l.(*sync.RWMutex)
}
