package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/disk"
	"leat/internal/types"
)

// Options of Open. The zero value is the real file system, the real clock and no log.
type Options struct {
	FS     vfs.FS
	Now    func() time.Time
	Logger *slog.Logger
}

const (
	memTable = 1 << 20
	// stallAt is how many memtables or level-0 runs may wait for the disk before Pebble holds writes back, for ever if the
	// disk fails. So it is out of reach: the first flush or compaction that fails stops the catalog.
	stallAt = 1 << 10
)

// Open opens or makes the catalog in dir, which must be in an existing folder. Errors: Locked if a process holds it,
// InvalidArgument if dir is a file, PermissionDenied, DiskFull, Unavailable, Corrupt with one of Errors per damaged record.
func Open(dir string, o Options) (*Catalog, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if st, err := o.FS.Stat(dir); err == nil && !st.IsDir() {
		return nil, types.Errorf(types.InvalidArgument, "%s is a file, not a folder", dir).WithHint("choose another --data folder, or move the file away")
	}
	if err := o.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, openError(dir, err)
	}
	c := &Catalog{now: o.Now, log: o.Logger, turn: make(chan struct{}, 1), closing: make(chan struct{})}
	err := c.openPebble(dir, o.FS)
	if err == nil {
		err = c.load()
	}
	if e := c.failed(); e != nil {
		err = e
	}
	if err == nil {
		return c, nil
	}
	if e := c.Close(); e != nil {
		c.log.Warn("closing the catalog that did not open", "error", e)
	}
	return nil, openError(dir, err)
}

// openPebble holds life, so that a failure of the disk meanwhile is dealt with afterwards.
func (c *Catalog) openPebble(dir string, under vfs.FS) error {
	c.life.Lock()
	defer c.life.Unlock()
	cache := pebble.NewCache(256 << 10)
	defer cache.Unref()
	db, err := pebble.Open(dir, &pebble.Options{
		FS: disk.New(under, c.fail), Cache: cache, Logger: logger{c}, MaxOpenFiles: 64,
		MemTableSize: memTable, MemTableStopWritesThreshold: stallAt, L0StopWritesThreshold: stallAt,
		EventListener:      &pebble.EventListener{BackgroundError: c.fail},
		FormatMajorVersion: pebble.FormatNewest,
	})
	c.db = db
	return err
}

// openError gives an error of Open its code.
func openError(dir string, err error) error {
	coded, ok := errors.AsType[*types.Error](err)
	switch {
	case ok && coded.Code == types.Corrupt:
		return err
	case errors.Is(err, syscall.EAGAIN), strings.Contains(err.Error(), "lock held by current process"): // Pebble has no name for it
		return types.Errorf(types.Locked, "the catalog in %s is in use by another process: %w", dir, err).WithHint("stop the other `leat start`, or choose another --data folder")
	case errors.Is(err, fs.ErrPermission):
		return types.Errorf(types.PermissionDenied, "no permission to open the catalog in %s: %w", dir, err).WithHint("give the user that runs Leat the folder")
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EEXIST):
		return types.Errorf(types.InvalidArgument, "%s is not a folder: %w", dir, err).WithHint("choose another --data folder")
	case errors.Is(err, syscall.ENOSPC):
		return types.Errorf(types.DiskFull, "no space to open the catalog in %s: %w", dir, err).WithHint("free some space on its disk")
	case pebble.IsCorruptionError(err):
		return types.Errorf(types.Corrupt, "the catalog in %s is damaged: %w", dir, err).WithHint("restore the folder from a backup")
	}
	return types.Errorf(types.Unavailable, "opening the catalog in %s: %w", dir, err).WithHint("check the disk of the folder, then start again")
}

// loader gathers the current records.
type loader struct {
	c       *Catalog
	counts  counters
	objects map[types.ObjectID]*Object
	tokens  map[string]*Token
	issuers map[string]*Issuer
	damaged []*types.Error
}

// maxDamaged is how many damaged records one error names.
const maxDamaged = 100

// load reads every current record.
func (c *Catalog) load() error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.life.RUnlock()
	l := &loader{c: c, objects: map[types.ObjectID]*Object{}, tokens: map[string]*Token{}, issuers: map[string]*Issuer{}}
	for _, space := range []string{"m", "o", "t", "i"} {
		if err := c.scan([]byte(space), []byte{space[0] + 1}, l.record); err != nil {
			return err
		}
	}
	if len(l.damaged) > 0 {
		e := types.Errorf(types.Corrupt, "the catalog is damaged: %s", l.damaged[0].Message).WithHint("restore the catalog folder from a backup; the events in the log are not touched by this")
		e.Errors = l.damaged
		return e
	}
	c.next = max(l.counts.Next, FirstUserID)
	c.current.Store(newSnapshot(l.counts.Version, l.objects, l.tokens, l.issuers))
	return nil
}

// record takes one record.
func (l *loader) record(key, value []byte) {
	var err error
	what := "counter"
	switch key[0] {
	case 'm':
		err = decode(value, &l.counts)
	case 'o':
		if len(key) != 9 {
			what, err = "object", fmt.Errorf("its key has %d bytes", len(key))
			break
		}
		id := types.ObjectID(binary.BigEndian.Uint64(key[1:]))
		var o *Object
		if o, err = decodeObject(value); err == nil && o.ID != id {
			err = fmt.Errorf("it holds object %d", o.ID)
		}
		if l.objects[id] = o; err != nil {
			what = fmt.Sprintf("object %d%s", id, l.c.rememberedName(id))
		}
	case 't':
		k := new(Token)
		if err = decode(value, k); err == nil && k.ID != string(key[1:]) {
			err = fmt.Errorf("it holds token %q", k.ID)
		}
		l.tokens[k.ID] = k
		what = fmt.Sprintf("token %q", key[1:])
	case 'i':
		i := new(Issuer)
		if err = decode(value, i); err == nil && i.Name != string(key[1:]) {
			err = fmt.Errorf("it holds issuer %q", i.Name)
		}
		l.issuers[i.Name] = i
		what = fmt.Sprintf("issuer %q", key[1:])
	}
	if err != nil && len(l.damaged) < maxDamaged {
		l.damaged = append(l.damaged, types.Errorf(types.Corrupt, "record %q (%s) is damaged: %w", key, what, err))
	}
}

// rememberedName is the name that the history has for an object, for messages.
func (c *Catalog) rememberedName(id types.ObjectID) string {
	versions, _ := c.history(id) // an error leaves the name out
	if len(versions) == 0 {
		return ""
	}
	return fmt.Sprintf(", %s %q", versions[0].Kind, versions[0].Name)
}
