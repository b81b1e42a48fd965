// Package duck is the only importer of the DuckDB bindings. It opens locked-down databases, hands out
// connections, moves Arrow data in and out, interrupts what runs too long or too big, and turns
// DuckDB's errors into coded ones.
//
// It speaks to DuckDB's C API through duckdb-go-bindings rather than database/sql: results stream, cancellation is the
// raw interrupt, and Arrow needs no build tag (arrow.go declares the few C functions that the bindings hide behind one).
package duck

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	ddb "github.com/duckdb/duckdb-go-bindings"

	"leat/internal/types"
)

// Options of Open. The zero value suits a small helper: 256 MiB, no spilling.
type Options struct {
	// Threads is how many threads all queries share; 0 is the number of cores.
	Threads int
	// MemoryLimit is DuckDB's buffer limit in bytes; it is soft. 0 is 256 MiB.
	MemoryLimit int64
	// TempDir is where queries spill; empty forbids spilling.
	TempDir string
	// MaxTempBytes bounds TempDir; 0 is 1 GiB.
	MaxTempBytes int64
	// Readers is how many queries run at once; 0 is twice the cores.
	Readers int
	// MaxRSS makes the watchdog interrupt the longest-running query while the process's resident memory is above it; 0 is off.
	MaxRSS int64
	// WALLimit is the WAL size at which a commit checkpoints by itself; 0 is 1 GiB, so that the owner's CHECKPOINT comes first.
	WALLimit int64
	// Schema is the schema in which unqualified names are found; it is created if missing. Empty is DuckDB's main.
	Schema string
}

func (o Options) withDefaults() Options {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Readers == 0 {
		o.Readers = 2 * runtime.GOMAXPROCS(0)
	}
	def(&o.MemoryLimit, 256<<20)
	def(&o.MaxTempBytes, 1<<30)
	def(&o.WALLimit, 1<<30)
	return o
}

// DB is an open database. Its methods may be called from any goroutine.
type DB struct {
	db      ddb.Database
	opts    Options
	readers chan *Conn
	// waiting counts who waits for one.
	waiting atomic.Int64
	// connected counts the pool's connections.
	connected int
	dog       *watchdog

	// shapes counts the calls of Forget.
	shapes atomic.Uint64

	// conns are the open connections (*Conn) by DuckDB's ID.
	conns sync.Map

	// tableConn converts the rows of table functions; nil until there is one.
	tableMu   sync.Mutex
	tableConn *Conn
	functions map[string]*function

	closing   chan struct{}
	closeOnce sync.Once
}

// Open opens the file at path, or an in-memory database if path is empty, and locks its configuration: no file or network
// access from SQL, no extensions, UTC. Errors: types.Locked when another process holds the file, types.Corrupt when
// it can't be read, types.DiskFull.
func Open(path string, o Options) (*DB, error) {
	if path == "" {
		path = ":memory:"
	}
	o = o.withDefaults()
	d := &DB{opts: o, readers: make(chan *Conn, o.Readers), closing: make(chan struct{})}
	if err := d.open(path); err != nil {
		return nil, err
	}
	d.dog = startWatchdog(o.MaxRSS, ResidentBytes)
	if err := d.lockDown(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *DB) open(path string) error {
	var config ddb.Config
	if ddb.CreateConfig(&config) == ddb.StateError {
		return types.Errorf(types.Internal, "DuckDB: no memory for a configuration")
	}
	defer ddb.DestroyConfig(&config)
	// In this order: without external access temp_directory can't be set any more.
	for _, o := range [][2]string{
		{"threads", strconv.Itoa(d.opts.Threads)},
		{"memory_limit", kib(d.opts.MemoryLimit)},
		{"temp_directory", d.opts.TempDir},
		{"max_temp_directory_size", kib(d.opts.MaxTempBytes)},
		{"wal_autocheckpoint", kib(d.opts.WALLimit)},
		// Newer encodings of text halve the time of writing row groups; older DuckDBs need not read our files.
		{"storage_compatibility_version", "latest"},
		// What a big query took goes back to the system after it, else the watchdog would see it for ever.
		{"allocator_background_threads", "true"},
		{"autoinstall_known_extensions", "false"},
		{"autoload_known_extensions", "false"},
		// errors.go reads code, place and candidates from the JSON.
		{"errors_as_json", "true"},
		{"enable_external_access", "false"},
	} {
		if ddb.SetConfig(config, o[0], o[1]) == ddb.StateError {
			return types.Errorf(types.Internal, "DuckDB refuses the setting %s=%s", o[0], o[1])
		}
	}
	var message string
	if ddb.OpenExt(path, &d.db, config, &message) == ddb.StateError {
		return openError(message)
	}
	return nil
}

// lockDown makes the settings that need a running database, fills the pool and locks the configuration.
func (d *DB) lockDown() error {
	first, err := d.Connect()
	if err != nil {
		return err
	}
	defer first.Close()
	ctx := context.Background()
	if err := first.Exec(ctx, "SET GLOBAL TimeZone = 'UTC'"); err != nil {
		return err
	}
	if d.opts.Schema != "" {
		if err := first.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+types.QuoteIdent(d.opts.Schema)); err != nil {
			return err
		}
	}
	if err := first.Exec(ctx, "SET GLOBAL lock_configuration = true"); err != nil {
		return err
	}
	for range d.opts.Readers {
		c, err := d.Connect()
		if err != nil {
			return err
		}
		if d.opts.Schema != "" {
			if err := c.Exec(ctx, "SET search_path = "+types.QuoteLiteral(d.opts.Schema)); err != nil {
				c.Close()
				return err
			}
		}
		d.readers <- c
		d.connected++
	}
	return nil
}

// Connect opens a connection outside the pool, for the one writer. The caller closes it before the database.
func (d *DB) Connect() (*Conn, error) {
	c := &Conn{dog: d.dog, db: d}
	if ddb.Connect(d.db, &c.conn) == ddb.StateError {
		return nil, types.Errorf(types.Internal, "DuckDB: cannot connect")
	}
	var client ddb.ClientContext
	ddb.ConnectionGetClientContext(c.conn, &client)
	c.id = uint64(ddb.ClientContextGetConnectionId(client))
	ddb.DestroyClientContext(&client)
	d.conns.Store(c.id, c)
	ddb.ConnectionGetArrowOptions(c.conn, &c.arrow)
	return c, nil
}

// maxWaiting is how many callers wait for a connection of the pool at most; further ones are refused at once: they would wait longer than they want.
const maxWaiting = 1000

// Reader takes a connection from the pool, waiting until ctx ends or, where too many wait already, not at all (types.TooManyRequests). Return it
// with Release.
func (d *DB) Reader(ctx context.Context) (*Conn, error) {
	select {
	case c := <-d.readers:
		return c, nil
	default:
	}
	n := d.waiting.Add(1)
	defer d.waiting.Add(-1)
	if n > maxWaiting {
		return nil, d.busy("and %d queries wait for one", maxWaiting)
	}
	select {
	case c := <-d.readers:
		return c, nil
	case <-d.closing:
		return nil, types.Errorf(types.Unavailable, "the store is closing")
	case <-ctx.Done():
		return nil, d.busy("until the request's time was over")
	}
}

func (d *DB) busy(format string, args ...any) error {
	e := types.Errorf(types.TooManyRequests, "all %d query slots (limit queries) were taken "+format, append([]any{d.opts.Readers}, args...)...).
		WithHint("run fewer queries at once, give them a shorter timeout, or raise the server's setting queries")
	e.RetryAfter = 1
	return e
}

// Release gives a reader back.
func (d *DB) Release(c *Conn) { d.readers <- c }

// Close refuses new readers, waits for those under way and closes the database, which checkpoints it.
// Connections made with Connect must be closed before.
func (d *DB) Close() {
	d.closeOnce.Do(func() {
		close(d.closing)
		for range d.connected {
			(<-d.readers).Close()
		}
		d.dog.stop()
		if d.tableConn != nil {
			d.tableConn.Close()
		}
		ddb.Close(&d.db)
	})
}

func kib(n int64) string { return fmt.Sprintf("%dKiB", max(n>>10, 1)) }
