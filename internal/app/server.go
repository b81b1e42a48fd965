package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"leat/internal/api"
	"leat/internal/auth"
	"leat/internal/bus"
	"leat/internal/bus/pebblelog"
	"leat/internal/catalog"
	"leat/internal/control"
	"leat/internal/duck"
	"leat/internal/egress"
	"leat/internal/endpoint"
	"leat/internal/ingest"
	"leat/internal/observe"
	"leat/internal/pgwire"
	"leat/internal/push"
	"leat/internal/query"
	"leat/internal/sql/guard"
	"leat/internal/store/duckdb"
	"leat/internal/store/loader"
	"leat/internal/types"
)

// server is all parts of a running Leat. open makes them in the order of the fields, close ends them in the reverse order.
type server struct {
	cfg     Config
	log     *slog.Logger
	started time.Time

	path    string // of the data folder
	fresh   bool   // whether it was new
	lock    *os.File
	catalog *catalog.Catalog
	bus     *pebblelog.Log
	store   *duckdb.Store
	parser  *duck.Parser
	views   *views

	loader  *loader.Loader
	fences  *ingest.Fences
	control *control.Controller
	ingest  *ingest.Service
	letters *ingest.DeadLetters
	push    *push.Hub
	query   *query.Service
	pg      *pgwire.Server
	// pgAbout is what PostgreSQL's clients are told of the definitions.
	pgAbout *pgCatalog
	results *api.ResultCache
	signer  query.Signer
	tokens  *auth.Service
	metrics *observe.Metrics
	health  *observe.Health
	ready   *observe.Gate
	jobs    *jobs
	audit   *audit
	limiter *auth.Limiter
	egress  *egress.Dialer
	// tls is nil where the server speaks no TLS.
	tls *certificates
}

// open opens the data folder and wires the parts; nothing runs yet.
func open(ctx context.Context, cfg Config, log *slog.Logger) (*server, error) {
	s := &server{cfg: cfg, log: log, started: time.Now(), health: &observe.Health{}, ready: &observe.Gate{}, jobs: newJobs(log), fences: &ingest.Fences{}}
	s.ready.Shut("starting: SQL is catching up with the log")
	s.health.Add("start", observe.Readiness, s.ready.Check)
	s.metrics = observe.New(observe.Build{Version: release, Commit: revision(), GoVersion: runtime.Version()})
	for _, step := range []func(context.Context) error{s.openFiles, s.openStore, s.openViews, s.wire} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// openFiles takes the data folder and opens catalog and log.
func (s *server) openFiles(ctx context.Context) (err error) {
	if s.path, s.fresh, s.lock, err = openData(s.cfg.Data, s.cfg.Listen); err != nil {
		return err
	}
	if s.signer, err = openSigner(s.path); err != nil {
		return err
	}
	if s.catalog, err = catalog.Open(filepath.Join(s.path, "catalog"), catalog.Options{Logger: s.log}); err != nil {
		return err
	}
	if s.audit, err = openAudit(filepath.Join(s.path, "audit"), s.log); err != nil {
		return err
	}
	if s.tls, err = newCertificates(s.cfg, s.log); err != nil {
		return err
	}
	if s.egress, err = egress.New(s.cfg.EgressAllow); err != nil {
		return err
	}
	s.bus, err = pebblelog.Open(ctx, filepath.Join(s.path, "log"), pebblelog.Options{
		Logger: busLogger{s.log}, TailBytes: int64(s.cfg.Tail), MinFree: int64(s.cfg.MinFree), ClockEvery: time.Second,
	})
	return err
}

// besidesQueries is memory that is no query's: the program, the log, bodies, the store's tail.
const besidesQueries = 512 << 20

func (s *server) openStore(context.Context) (err error) {
	memory, machine := int64(s.cfg.Memory), machineMemory()
	if memory == 0 {
		memory = machine / 2
	}
	s.store, err = duckdb.Open(duckdb.Options{
		Dir: filepath.Join(s.path, "store"), Incarnation: s.bus.Incarnation(), LogComplete: s.logComplete(),
		MemoryLimit: memory, MaxTempBytes: int64(s.cfg.Spill), Readers: s.cfg.Queries,
		// DuckDB's own limit is soft: the watchdog interrupts queries before the machine would kill the process.
		MaxRSS: min(memory*2+besidesQueries, machine*9/10),
		Live:   newestRows{s},
	})
	if err != nil {
		return err
	}
	if s.store.Recovered != "" {
		s.log.Warn("the store was set aside and is loaded again from the log", "reason", s.store.Recovered)
	}
	s.parser, err = duck.NewParser()
	return err
}

// logComplete reports whether the log still has every entry of every partition.
func (s *server) logComplete() bool {
	for _, c := range s.bus.Position().Cursors {
		if b, err := s.bus.Bounds(c.Partition); c.Partition != bus.Clock && (err != nil || b.Start > 0) {
			return false
		}
	}
	return true
}

// wire makes the parts that have no files and brings log and store into agreement with the catalog.
func (s *server) wire(ctx context.Context) (err error) {
	loadSeconds := s.metrics.Histogram(observe.Desc{Name: "leat_load_duration_seconds", Help: "Time of one load into the store."}, observe.LatencyBuckets)
	visible := s.metrics.Histogram(observe.Desc{Name: "leat_visible_seconds", Help: "From the append of a load's oldest event until SQL sees it."}, observe.LatencyBuckets)
	s.loader = loader.New(s.bus, s.store, loader.Options{Logger: s.log, MaxLag: int64(s.cfg.MaxBacklog) / 2, ObserveLoad: loadSeconds.Observe, ObserveVisible: visible.Observe})
	check := guard.New(s.parser)
	s.control = control.New(control.Options{
		Catalog: s.catalog, Log: s.bus, Store: s.store, Fences: fences{s.fences, s}, Guard: check,
		Figures: figures{s}, Writer: rowWriter{s}, CheckEndpoint: endpoint.Check, WaitLoaded: s.loader.Wait, Explain: s.store.Explain, Views: s.views, Paths: paths{s},
		BuiltIn: []*catalog.Object{ingest.DeadLetterObject(ingest.DefaultConfig().LetterTTL)},
	})
	system, err := s.defineSystem()
	if err != nil {
		return err
	}
	s.control.System = system
	if err := s.control.Start(ctx); err != nil {
		return err
	}
	limits := ingest.DefaultConfig()
	limits.MaxBody, limits.MaxDecoded = int64(s.cfg.MaxBody), int64(s.cfg.MaxBody)
	limits.MaxInFlight, limits.MaxBacklog = int64(s.cfg.MaxInFlight), int64(s.cfg.MaxBacklog)
	if s.ingest, err = ingest.New(ingest.Options{
		Config: limits, Catalog: names{s.catalog}, Schemas: s.control, Log: ingestLog{s.bus, s.cfg.Durability == "fast"}, Waiter: sight{s},
		Fences: s.fences, Backlog: s.backlog, Now: time.Now,
	}); err != nil {
		return err
	}
	s.letters = ingest.NewDeadLetters(s.ingest, selector{s.store})
	s.tokens = auth.NewService(auth.InCatalog(s.catalog), !loopback(s.cfg.Listen)).WithFetch(s.egress.Fetch)
	s.limiter = auth.NewLimiter()
	s.openPush()
	s.query = query.New(query.Options{
		Feeds: s.feeds(), Catalog: s.catalog.Snapshot, System: system, Store: s.store, Guard: check, Waiter: s.loader, Live: s.views, Log: logEnds{s}, Planner: s.views,
		Ordering: check.Ordering, Signer: s.signer, ObserveFast: s.observePath("fast"), ObserveStore: s.observePath("store"),
	})
	s.results = api.NewResultCache(int(s.cfg.ResultCache))
	s.pg = s.pgServer()
	s.register()
	return nil
}

// backlog counts the rows that are durable and that SQL does not see yet.
func (s *server) backlog() ingest.Backlog {
	b := ingest.Backlog{Bottleneck: "the loader of the store"}
	m := s.loader.Metrics()
	for _, l := range m.Lag {
		b.Waiting += int64(l.Offsets)
	}
	b.Drained = m.Rows
	return b
}

// start runs the background work until ctx ends.
func (s *server) start(ctx context.Context) {
	s.jobs.start(ctx, "log marks", s.bus.Run)
	s.jobs.start(ctx, "store loader", s.loader.Run)
	s.jobs.start(ctx, "views", s.views.manager.Run)
	s.jobs.start(ctx, "push", s.push.Run)
	s.jobs.start(ctx, "catch up", s.caughtUp)
	s.jobs.start(ctx, "dead letters", s.letters.Run)
	s.jobs.start(ctx, "log trim", s.trim)
	s.jobs.start(ctx, "issuer keys", s.tokens.Run)
}

// close ends what open made; it may be called on a server that was opened in part.
func (s *server) close() error {
	s.jobs.wg.Wait()
	if s.pg != nil {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.pg.Shutdown(over) // it has ended, but where the start failed
		s.pgAbout.Close()
	}
	var errs []error
	add := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("close the %s: %w", what, err))
		}
	}
	if s.store != nil {
		add("store", s.closeStore())
	}
	add("state of views", s.views.close())
	if s.parser != nil && len(errs) == 0 {
		s.parser.Close()
	}
	if s.bus != nil {
		add("log", s.bus.Close())
	}
	if s.catalog != nil {
		add("catalog", s.catalog.Close())
	}
	if s.audit != nil {
		add("audit log", s.audit.close())
	}
	if s.lock != nil {
		add("lock", s.lock.Close())
	}
	return errors.Join(errs...)
}

// closeStore waits for queries under way, but not for ever: DuckDB can't be interrupted at every point. A store that is not
// closed is as its last checkpoint left it, and the log has the rest.
func (s *server) closeStore() error {
	closed := make(chan error, 1)
	go func() { closed <- s.store.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(s.cfg.StopWithin):
		return types.Errorf(types.Timeout, "a query did not end within %s; what it kept from the file comes from the log at the next start", s.cfg.StopWithin)
	}
}

// caughtUp opens the gate of readiness: at once after an ordinary start, when SQL lags by what was loaded last; where the store is
// loaded anew, once SQL sees all that was durable at the start.
func (s *server) caughtUp(ctx context.Context) error {
	if s.store.Recovered == "" {
		s.ready.Open()
		return nil
	}
	streams := []types.ObjectID{catalog.DeadLetters}
	for _, o := range s.catalog.Snapshot().All() {
		if o.Stream != nil {
			streams = append(streams, o.ID)
		}
	}
	if err := s.loader.Wait(ctx, s.bus.Position(streams...)); err != nil && ctx.Err() == nil {
		return err
	}
	s.ready.Open()
	return nil
}

// trimEvery is how often the log is looked over, trimAfter what one partition may hold beyond its bound before it is trimmed.
const trimEvery = 10 * time.Second

// trim forgets log that the store and all views have durably, where a partition holds more than the bound.
func (s *server) trim(ctx context.Context) error {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, c := range s.store.Durable().Cursors {
			if next, ok := s.views.manager.Durable(c.Partition); ok {
				c.Next = min(c.Next, next)
			}
			if err := s.trimPartition(ctx, c); err != nil && ctx.Err() == nil {
				s.log.Error("the log can't be trimmed", "partition", c.Partition, "err", err)
			}
		}
		if err := s.trimClock(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the log's clock can't be trimmed", "err", err)
		}
	}
}

// clockMarks is how many marks of the log's clock are kept: views ask for the newest only.
const clockMarks = 1000

// trimClock forgets old marks of the log's clock, many at a time.
func (s *server) trimClock(ctx context.Context) error {
	b, err := s.bus.Bounds(bus.Clock)
	if err != nil || b.End-b.Start < 2*clockMarks {
		return err
	}
	return s.bus.Trim(ctx, bus.Clock, b.End-clockMarks)
}

// trimPartition keeps about LogKeep bytes: entries have much the same size, so offsets stand for bytes.
func (s *server) trimPartition(ctx context.Context, durable types.Cursor) error {
	b, err := s.bus.Bounds(durable.Partition)
	if types.HasCode(err, types.NotFound) || err == nil && b.Bytes <= int64(s.cfg.LogKeep) {
		return nil
	}
	if err != nil {
		return err
	}
	excess := float64(b.Bytes-int64(s.cfg.LogKeep)) / float64(b.Bytes)
	below := min(b.Start+types.Offset(excess*float64(b.End-b.Start)), durable.Next)
	if below <= b.Start {
		return nil
	}
	return s.bus.Trim(ctx, durable.Partition, below)
}

// listen opens the listener of the HTTP API; loopback means both 127.0.0.1 and ::1 where the machine has them.
func (s *server) listen() ([]net.Listener, error) {
	first, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return nil, types.Errorf(types.InvalidArgument, "can't listen at %s: %w", s.cfg.Listen, err).WithHint("choose another address with --listen")
	}
	out := []net.Listener{first}
	host, _, err := net.SplitHostPort(s.cfg.Listen)
	if err != nil {
		return nil, err
	}
	if host == "127.0.0.1" || host == "localhost" {
		_, port, err := net.SplitHostPort(first.Addr().String())
		if err != nil {
			return nil, err
		}
		if second, err := net.Listen("tcp6", net.JoinHostPort("::1", port)); err == nil {
			out = append(out, second)
		}
	}
	return out, nil
}

// fences let control change schemas; a dropped stream is forgotten by all of ingest.
type fences struct {
	*ingest.Fences
	server *server
}

func (f fences) Forget(id types.ObjectID) {
	if f.server.ingest != nil { // nil while control starts, before events are taken
		f.server.ingest.Forget(id)
	}
}

// busLogger hands the log's messages on.
type busLogger struct{ log *slog.Logger }

func (l busLogger) Infof(format string, args ...any)  { l.log.Debug(fmt.Sprintf(format, args...)) }
func (l busLogger) Errorf(format string, args ...any) { l.log.Error(fmt.Sprintf(format, args...)) }

// names answers ingest's questions about the catalog from its newest snapshot.
type names struct{ catalog *catalog.Catalog }

func (n names) ByName(name string) (*catalog.Object, bool) {
	o := n.catalog.Snapshot().ByName(name)
	return o, o != nil
}

func (n names) AutoStreams() int {
	count := 0
	for _, o := range n.catalog.Snapshot().List(catalog.StreamKind) {
		if o.Auto {
			count++
		}
	}
	return count
}

// ingestLog appends without waiting for the fsync where the configuration says so.
type ingestLog struct {
	*pebblelog.Log
	fast bool
}

func (l ingestLog) Append(ctx context.Context, a *bus.Append) (bus.Ack, error) {
	a.NoSync = l.fast
	return l.Log.Append(ctx, a)
}
