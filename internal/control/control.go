// Package control executes definitions: it checks a script of DDL as a whole, commits it as one catalog transaction and
// brings the log and the store into agreement with it. It also evolves the schemas of streams as new fields arrive.
//
// # How catalog, log and store agree
//
// The catalog's transaction is the moment at which a script counts. Before it everything is checked, and a changed column
// type is converted in the store, which is where it can fail. After it come bus.Configure and store.Define. If one of those
// fails, the catalog is put back as it was and the error returned; where that can't be done (a drop, a second fault), the
// error says so and the next statement or the next start reconciles first. All of it happens under the fences of the streams
// concerned, so nobody appends between the steps. A crash at any point is mended by Start.
package control

import (
	"context"
	"sync"
	"time"

	"leat/internal/auth"
	"leat/internal/bus"
	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/sql/guard"
	"leat/internal/store"
	"leat/internal/types"
)

// DefaultMaxAutoStreams is how many streams first events may make.
const DefaultMaxAutoStreams = 1000

// Fences keep appends to a stream and changes of its schema apart; ingest shares them.
type Fences interface {
	// Write waits for the appends under way and keeps others out until release.
	Write(types.ObjectID) (release func())
	// Forget frees what is kept for a dropped stream.
	Forget(types.ObjectID)
}

// Guard decides what SQL of users may do; *guard.Guard is one.
type Guard interface {
	Check(ctx context.Context, sql string, cat guard.Catalog) (*guard.Verdict, error)
}

// Figures supplies what SHOW prints of a stream's contents.
type Figures interface {
	// Stream returns the kept rows and bytes of a stream and its least watermark, types.NoWatermark if there is none.
	Stream(id types.ObjectID) (rows, bytes, watermark int64)
}

// Writer executes the statements that change rows.
type Writer interface {
	// Insert runs the statement's source in the store and appends its rows; it returns how many, and where they are.
	Insert(ctx context.Context, who auth.Principal, script string, st *ddl.Insert, args map[string]any) (rows int64, at types.Position, err error)
	// Delete deletes rows of a table by key.
	Delete(ctx context.Context, who auth.Principal, script string, st *ddl.Delete, args map[string]any) (rows int64, at types.Position, err error)
}

// Views plans and runs materialized views.
type Views interface {
	// Plan binds a view over the objects that find returns by name (nil: none): it returns the view's columns, key and inputs. Places of errors are in
	// the view's query.
	Plan(ctx context.Context, v *catalog.View, find func(name string) *catalog.Object) (*catalog.Materialized, error)
	// Explain is the plan of a view with the state of its operators, as text.
	Explain(ctx context.Context, v *catalog.View, find func(name string) *catalog.Object) (string, error)
	// Set runs the materialized views among objects, which are in the order of their dependencies, and serves their rows; others stop.
	Set(ctx context.Context, objects []*catalog.Object) error
	// Status tells of a view that runs.
	Status(id types.ObjectID) (ViewStatus, bool)
}

// ViewStatus is what SHOW VIEWS tells of a materialized view.
type ViewStatus struct {
	// State is catching up, live or failed; Progress is from 0 to 1.
	State    string
	Progress float64
	Rows     int64
	// Lag counts the events that wait for the view.
	Lag int64
	// Watermark is in µs, types.NoWatermark if there is none.
	Watermark    int64
	StateBytes   int64
	Failed, Late int64
	Error        string
	// Indexes tells of the indexes by their IDs.
	Indexes map[uint32]IndexStatus
}

// Options are what a Controller works on. All but Figures, Writer, Explain, Views and CheckEndpoint are required.
type Options struct {
	Catalog *catalog.Catalog
	Log     bus.Log
	Store   store.Store
	Fences  Fences
	Guard   Guard
	Figures Figures
	Writer  Writer
	// Views is nil where materialized views are not to be had.
	Views Views
	// CheckEndpoint refuses an endpoint that could not work; used are the parameters that its query names.
	CheckEndpoint func(ep *catalog.Endpoint, used []string) error
	// WaitLoaded waits until the store has loaded the log up to a position.
	WaitLoaded func(context.Context, types.Position) error
	// Explain returns the store's plan of a guarded SELECT as text; nil makes EXPLAIN unsupported.
	Explain func(ctx context.Context, sql string) (string, error)
	// Paths tells how SELECTs and endpoints are answered; nil is not told.
	Paths Paths
	// System are the names of the relations of leat_system, with the schema, that queries may read; the store must have them before Start.
	System []string
	// BuiltIn are Leat's own tables that live in log and store but not in the catalog, such as the dead letters.
	BuiltIn []*catalog.Object
	// MaxAutoStreams bounds the streams that first events make; 0 is DefaultMaxAutoStreams.
	MaxAutoStreams int
	// Now is the clock of created_at; nil is time.Now.
	Now func() time.Time
}

// Paths tells how queries are answered, one line each, which begins with "path: ".
type Paths interface {
	SelectPath(ctx context.Context, who auth.Principal, sql string) (string, error)
	EndpointPath(ctx context.Context, who auth.Principal, o *catalog.Object) (string, error)
}

// Controller executes DDL. Its methods may be called from any goroutine; changes are made one after the other.
type Controller struct {
	Options
	// mu serialises changes of definitions.
	mu sync.Mutex
	// behind is set when log or store may not agree with the catalog. Guarded by mu.
	behind bool
}

// draft is the present catalog, to be changed.
func (c *Controller) draft() *draft {
	d := newDraft(c.Catalog.Snapshot().All(), c.Now())
	d.system = make(map[string]types.ObjectID, len(c.System))
	for _, name := range c.System {
		d.system[name] = 0
	}
	for _, o := range c.BuiltIn {
		d.system[o.Name] = o.ID
	}
	return d
}

// New returns a Controller; call Start before anything else.
func New(o Options) *Controller {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxAutoStreams == 0 {
		o.MaxAutoStreams = DefaultMaxAutoStreams
	}
	return &Controller{Options: o}
}
