// Package query is the one door for reads: it authorises each relation that a SELECT names, has the guard check it, waits for
// a position if asked, and runs it in the store. Endpoints and look-ups of rows pass through it too.
package query

import (
	"context"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"leat/internal/auth"
	"leat/internal/catalog"
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
	// The guard's verdicts on the last maxVerdicts texts of at most maxCachedText bytes are kept: at most 8 MiB of texts.
	maxVerdicts   = 1024
	maxCachedText = 8 << 10
)

// Guard checks SELECTs; *guard.Guard is one.
type Guard interface {
	Check(ctx context.Context, text string, cat guard.Catalog) (*guard.Verdict, error)
}

// Waiter waits until the store has loaded up to a position; a position of another log is types.PositionGone at once.
type Waiter interface {
	Wait(ctx context.Context, p types.Position) error
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
	// Release gives the versions back, once every reading of them is closed.
	Release()
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
}

// Service answers reads. Its methods may be called from any goroutine; it has no goroutines of its own.
type Service struct {
	Options
	verdicts *lru.Cache[verdictKey, *guard.Verdict]
}

// verdictKey makes a verdict's life end with the definitions that it saw.
type verdictKey struct {
	catalog uint64
	text    string
}

// New makes a Service.
func New(o Options) *Service {
	cache, err := lru.New[verdictKey, *guard.Verdict](maxVerdicts)
	if err != nil {
		panic("BUG: the cache of verdicts: " + err.Error())
	}
	return &Service{Options: o, verdicts: cache}
}

// Request is one SELECT.
type Request struct {
	Principal auth.Principal
	// SQL is the text of the SELECT. It stands at Offset in Script, to which places in errors refer; an empty Script is SQL itself.
	SQL    string
	Script string
	Offset int
	// Args are the values of named parameters or, by keys "1", "2", ..., of positional ones; numbers may be json.Number.
	Args map[string]any
	// Limit is the most rows to answer; 0 is DefaultLimit.
	Limit int
	// After is a position that the answer must include; the zero value waits for nothing.
	After types.Position
}

// Result is an answer being read. The caller closes Rows.
type Result struct {
	Rows store.Rows
	// Position is up to where the rows saw the log, at least.
	Position types.Position
}

// Query runs a SELECT. ctx governs it until Rows is closed.
func (s *Service) Query(ctx context.Context, r Request) (*Result, error) {
	verdict, err := s.check(ctx, r.SQL)
	if err != nil {
		return nil, r.place(err)
	}
	if err := authorise(r.Principal, verdict); err != nil {
		return nil, err
	}
	res, err := s.run(ctx, verdict, Values(r.Args), r.Limit, r.After)
	if err != nil && verdict.Rewritten {
		if e := types.AsError(err); e.Line > 0 {
			shown := *e
			shown.Line, shown.Column = 0, 0 // places of a text that the user never saw
			err = &shown
		}
	}
	if err != nil {
		return nil, r.place(err)
	}
	return res, nil
}

// run waits for the position, pins what the engine serves and asks the store.
func (s *Service) run(ctx context.Context, v *guard.Verdict, args map[string]any, limit int, after types.Position) (*Result, error) {
	if limit == 0 {
		limit = DefaultLimit
	}
	if limit < 0 || limit > MaxLimit {
		return nil, types.Errorf(types.InvalidArgument, "limit %d: at least 1, at most %d", limit, MaxLimit)
	}
	reads := s.reads(v)
	if err := s.wait(ctx, after, reads); err != nil {
		return nil, err
	}
	position := s.Store.Loaded()
	if len(reads.live) == 0 {
		rows, err := s.Store.Query(ctx, store.Query{SQL: v.SQL, Args: args, MaxRows: limit})
		if err != nil {
			return nil, err
		}
		return &Result{Rows: rows, Position: position}, nil
	}
	pinned, err := s.Live.Pin(ctx, reads.live)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Query(ctx, store.Query{SQL: v.SQL, Args: args, MaxRows: limit, Live: pinned})
	if err != nil {
		pinned.Release()
		return nil, err
	}
	return &Result{Rows: &pinnedRows{Rows: rows, pinned: pinned}, Position: seen(position, reads.stored, pinned.Positions())}, nil
}

// pinnedRows gives back what was pinned for a result.
type pinnedRows struct {
	store.Rows
	pinned Pinned
}

// Close is part of store.Rows.
func (r *pinnedRows) Close() error {
	err := r.Rows.Close()
	if r.pinned != nil {
		r.pinned.Release()
		r.pinned = nil
	}
	return err
}

// check asks the guard, or remembers what it said.
func (s *Service) check(ctx context.Context, text string) (*guard.Verdict, error) {
	snapshot := s.Catalog()
	key := verdictKey{snapshot.Version(), text}
	if v, ok := s.verdicts.Get(key); ok {
		return v, nil
	}
	v, err := s.Guard.Check(ctx, text, relations{snapshot, s.System})
	if err != nil {
		return nil, err
	}
	if len(text) <= maxCachedText {
		s.verdicts.Add(key, v)
	}
	return v, nil
}

// authorise wants the scope read for each relation, and raw for the dead letters: they hold what any sender sent.
func authorise(p auth.Principal, v *guard.Verdict) error {
	for _, r := range v.Relations {
		if !p.May(auth.Read, r.Name) {
			return denied(r.Name)
		}
		if r.ID == catalog.DeadLetters && !p.May(auth.Raw, "") {
			return types.Errorf(types.PermissionDenied, "this token may not read %q", r.Name).WithHint("it needs the scope raw")
		}
	}
	return nil
}

func denied(name string) error {
	return types.Errorf(types.PermissionDenied, "this token may not read %q", name).WithHint("it needs the scope read:%s", name)
}

// place moves an error's place from the SELECT to the script that holds it.
func (r Request) place(err error) error {
	e := types.AsError(err)
	if e.Line == 0 || r.Script == "" || r.Offset == 0 {
		return e
	}
	line, column := types.Place(r.Script, r.Offset)
	shown := *e
	if e.Line == 1 {
		shown.Column += column - 1
	}
	shown.Line += line - 1
	return &shown
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
		r.Query = o.View.Query
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
