package pgwire

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/pgwire/pgcatalog"
	"leat/internal/types"
)

func rawParam(data []byte) pgcatalog.Param { return pgcatalog.Param{Data: data} }

// A result that is suspended holds a query slot and pins what it reads. So once its client has said nothing for suspendAfter, the rest of it is
// read: into memory up to spoolMemory a result and spoolAll of all sessions, then into a file up to spoolFile.
const (
	suspendAfter = 100 * time.Millisecond
	spoolMemory  = 8 << 20
	spoolAll     = 256 << 20
	spoolFile    = 1 << 30
)

// spool is the rest of a result: first the records in memory, then those of the file.
type spool struct {
	total   *atomic.Int64
	records []arrow.RecordBatch
	bytes   int64
	file    *os.File
	writer  *ipc.Writer
	reader  *ipc.Reader
	err     error
}

// next returns the next record, nil at the end.
func (s *spool) next() (arrow.RecordBatch, error) {
	if len(s.records) > 0 {
		rec := s.records[0]
		s.records = s.records[1:]
		return rec, nil
	}
	if s.reader != nil && s.reader.Next() {
		return s.reader.RecordBatch(), nil
	}
	if s.reader != nil && s.reader.Err() != nil {
		return nil, types.Errorf(types.Internal, "read a suspended result: %w", s.reader.Err())
	}
	return nil, s.err
}

func (s *spool) close() {
	s.total.Add(-s.bytes)
	s.bytes, s.records = 0, nil
	if s.file != nil {
		_ = s.file.Close() // it has no name any more
		s.file = nil
	}
}

// add keeps a record, which is valid only until the next is read.
func (s *spool) add(rec arrow.RecordBatch) error {
	size := int64(0)
	for _, c := range rec.Columns() {
		size += int64(c.Data().SizeInBytes())
	}
	if s.file == nil && s.bytes+size <= spoolMemory && s.total.Load()+size <= spoolAll {
		copied, err := copyRecord(rec)
		if err != nil {
			return err
		}
		s.records = append(s.records, copied)
		s.bytes += size
		s.total.Add(size)
		return nil
	}
	if s.file == nil {
		if err := s.create(rec.Schema()); err != nil {
			return err
		}
	}
	if err := s.writer.Write(rec); err != nil {
		return err
	}
	if at, err := s.file.Seek(0, 1); err != nil || at > spoolFile {
		return errors.Join(err, withState(types.Errorf(types.LimitExceeded, "the result is too large to be read in parts: more than %d MiB", spoolFile>>20).
			WithHint("read it at once, or ask for fewer rows"), "54000"))
	}
	return nil
}

func (s *spool) create(schema *arrow.Schema) error {
	f, err := os.CreateTemp("", "leat-cursor-*")
	if err != nil {
		return err
	}
	s.file, s.writer = f, ipc.NewWriter(f, ipc.WithSchema(schema))
	return os.Remove(f.Name()) // it ends with its last descriptor
}

// finish makes the file readable.
func (s *spool) finish() error {
	if s.file == nil {
		return nil
	}
	if err := s.writer.Close(); err != nil {
		return err
	}
	if _, err := s.file.Seek(0, 0); err != nil {
		return err
	}
	var err error
	s.reader, err = ipc.NewReader(s.file)
	return err
}

func copyRecord(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	columns := make([]arrow.Array, rec.NumCols())
	for i := range columns {
		c, err := array.Concatenate([]arrow.Array{rec.Column(i)}, memory.DefaultAllocator)
		if err != nil {
			return nil, err
		}
		columns[i] = c
	}
	return array.NewRecordBatch(rec.Schema(), columns, rec.NumRows()), nil
}

// spoolRest reads the rest of a result and lets go of it.
func (a *arrowSource) spoolRest(ctx context.Context, total *atomic.Int64) {
	if a.done {
		return
	}
	s := &spool{total: total}
	if a.record != nil && a.row < a.n { // it is valid until the next is read
		left, err := copyRecord(a.record.NewSlice(int64(a.row), int64(a.n)))
		if err == nil {
			a.record, a.row, a.n = left, 0, int(left.NumRows())
			for i := range a.cells {
				a.cells[i].set(left.Column(i))
			}
		}
		s.err = err
	}
	for s.err == nil {
		rec, err := a.rows.Next(ctx)
		if err != nil {
			s.err = cause(ctx, err)
			break
		}
		if rec == nil {
			break
		}
		s.err = s.add(rec)
	}
	if err := s.finish(); s.err == nil {
		s.err = err
	}
	a.done, a.spool = true, s
	a.cut = a.rows.Truncated()
	_ = a.rows.Close() // what failed was told by Next
	a.rows = nil
}

// suspended are the results that hold something while the client says nothing, with the way to stop their reading.
func (s *session) suspended(visit func(*arrowSource, context.Context, context.CancelCauseFunc)) {
	see := func(src source, ctx context.Context, cancel context.CancelCauseFunc) {
		if a, ok := src.(*arrowSource); ok && !a.done && a.rows != nil {
			visit(a, ctx, cancel)
		}
	}
	if s.unnamed.started {
		see(s.unnamed.answer.source, s.unnamed.ctx, s.unnamed.cancel)
	}
	for _, p := range s.portals {
		if p.started {
			see(p.answer.source, p.ctx, p.cancel)
		}
	}
	for _, c := range s.cursors {
		see(c.source, c.ctx, c.cancel)
	}
}

// rest is called before the session waits for its client.
func (s *session) rest() error {
	some := false
	s.suspended(func(*arrowSource, context.Context, context.CancelCauseFunc) { some = true })
	if !some {
		return nil
	}
	if err := s.raw.SetReadDeadline(time.Now().Add(suspendAfter)); err != nil {
		return err
	}
	err := s.fill(1)
	if clear := s.raw.SetReadDeadline(time.Time{}); clear != nil {
		return clear
	}
	var network net.Error
	if err == nil || !errors.As(err, &network) || !network.Timeout() {
		return err
	}
	s.suspended(func(a *arrowSource, ctx context.Context, cancel context.CancelCauseFunc) {
		s.guard.again(cancel, s.timeout())
		a.spoolRest(ctx, &s.server.spooled)
		s.guard.end()
	})
	return nil
}
