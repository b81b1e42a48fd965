package pgwire

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/types"
)

// Bounds of COPY FROM: of one line, and of the rows that are appended at once. A COPY within one batch is all or nothing.
const (
	maxCopyLine = 16 << 20
	batchBytes  = 8 << 20
	batchRows   = 100_000
)

// copyIn reads the rows of COPY FROM STDIN.
func (s *session) copyIn(c *copyStatement) (n int64, err error) {
	ctx := s.guardContext()
	columns, err := s.server.Backend.Target(ctx, s.principal, c.table, c.names)
	if err != nil {
		return 0, err
	}
	in := &copyInput{session: s, copyStatement: c, columns: columns}
	for _, col := range columns {
		b, err := newFieldBuilder(col)
		if err != nil {
			return 0, err
		}
		in.builders = append(in.builders, b)
	}
	format := int16(textFormat)
	if c.format == copyBinary {
		format = binaryFormat
	}
	s.copyResponse('G', format, len(columns))
	if err := s.flush(); err != nil {
		return 0, fatal{err}
	}
	s.guard.again(s.guard.running(), 0) // the client's pace is its own; its silence is bounded
	if err = in.receive(ctx); err == nil {
		s.guard.again(s.guard.running(), s.timeout())
		err = in.finish(ctx)
	}
	s.server.meters.copied.Add(in.kept)
	if err != nil {
		return 0, in.explain(cause(ctx, err))
	}
	return in.rows, nil
}

// copyInput turns CopyData into rows.
type copyInput struct {
	*copyStatement
	session  *session
	columns  []types.Column
	builders []fieldBuilder
	// buf[at:] was received and not read yet.
	buf []byte
	at  int
	// begun says that the header was read, ended that the data said so itself.
	begun, ended bool
	fields       [][]byte
	// line counts lines or tuples; column is the one at fault, -1 for none.
	line   int64
	column int
	// rows were read, kept of them were appended; batch and size are what waits.
	rows, kept  int64
	batch, size int
}

// explain adds where the data was at fault, and what is kept of it.
func (in *copyInput) explain(err error) error {
	if _, ends := errors.AsType[fatal](err); ends {
		return err
	}
	e := *types.AsError(err)
	if in.kept > 0 {
		e.Hint = itoa(int(in.kept)) + " rows before were kept, the rest was not; " + e.Hint
		e.Message += " (" + itoa(int(in.kept)) + " rows before were kept)"
	}
	out := &copyError{err: error(&e), where: "COPY " + in.table + ", line " + itoa(int(in.line))}
	if in.column >= 0 && in.column < len(in.columns) {
		out.where += ", column " + in.columns[in.column].Name
	}
	if s, ok := errors.AsType[*stateError](err); ok {
		out.err = &stateError{&e, s.state}
	}
	return out
}

// copyError has the CONTEXT of an error.
type copyError struct {
	err   error
	where string
}

func (c *copyError) Error() string { return c.err.Error() }
func (c *copyError) Unwrap() error { return c.err }

// receive reads messages up to the end of the data.
func (in *copyInput) receive(ctx context.Context) error {
	s := in.session
	in.column = -1
	for {
		kind, body, err := s.nextWithin(s.server.IdleInTransaction)
		if err != nil {
			return fatal{err}
		}
		switch kind {
		case 'd':
			if err := in.feed(ctx, body); err != nil {
				return err
			}
		case 'c':
			return in.last(ctx)
		case 'f':
			f := fields{b: body}
			return failure("57014", "COPY from stdin failed: %.200s", f.cstring())
		case 'H', 'S':
		default:
			return fatal{failure("08P01", "unexpected message type 0x%02X during COPY from stdin", kind)}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// nextWithin reads a message that comes within a time.
func (s *session) nextWithin(d time.Duration) (kind byte, body []byte, err error) {
	if s.waiting() {
		return s.next()
	}
	if err := s.raw.SetReadDeadline(time.Now().Add(d)); err != nil {
		return 0, nil, err
	}
	if why := s.why.Load(); why != nil {
		return 0, nil, *why
	}
	kind, body, err = s.next()
	if network := net.Error(nil); errors.As(err, &network) && network.Timeout() && s.why.Load() == nil {
		return 0, nil, errIdleTx
	}
	if clear := s.raw.SetReadDeadline(time.Time{}); err == nil && clear != nil {
		return 0, nil, clear
	}
	return kind, body, err
}

// take appends a piece of the data to what was not read yet.
func (in *copyInput) take(data []byte) {
	if in.at > 0 {
		in.buf = in.buf[:copy(in.buf, in.buf[in.at:])]
		in.at = 0
	}
	in.buf = append(in.buf, data...)
}

// row reads the fields of one row; row is false for what is none, and more where the data doesn't have it yet.
func (in *copyInput) row(end bool) (more, row bool, err error) {
	switch in.format {
	case copyBinary:
		return in.tuple()
	case copyCSV:
		return in.csvLine(end)
	}
	return in.textLine(end)
}

// feed takes a piece of the data and adds its rows.
func (in *copyInput) feed(ctx context.Context, data []byte) error {
	in.take(data)
	for {
		more, err := in.step(ctx, false)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if len(in.buf)-in.at > maxCopyLine {
		return withState(types.Errorf(types.LimitExceeded, "a line of more than %d MiB", maxCopyLine>>20), "54000")
	}
	return nil
}

// last reads what is left at the end: a line need not end with a line break.
func (in *copyInput) last(ctx context.Context) error {
	for {
		more, err := in.step(ctx, true)
		if err != nil || !more {
			if err == nil && in.at < len(in.buf) && !in.ended {
				err = failure("22P04", "unexpected end of the data")
			}
			return err
		}
	}
}

// step reads one row; more is false where it isn't there yet.
func (in *copyInput) step(ctx context.Context, end bool) (more bool, err error) {
	if in.ended {
		in.at = len(in.buf)
		return false, nil
	}
	in.fields = in.fields[:0]
	more, row, err := in.row(end)
	if err != nil || !row {
		return more, err
	}
	if in.header && !in.begun {
		in.begun = true
		return true, in.checkHeader()
	}
	return true, in.add(ctx)
}

func (in *copyInput) checkHeader() error {
	if !in.match {
		return nil
	}
	for i, c := range in.columns {
		if i >= len(in.fields) || string(in.fields[i]) != c.Name {
			return failure("22P04", "the header does not name the columns: expected %q at place %d", c.Name, i+1)
		}
	}
	return nil
}

// add appends the fields as a row, and the rows to the table where they are many.
func (in *copyInput) add(ctx context.Context) error {
	switch n := len(in.fields); {
	case n < len(in.columns):
		in.column = n
		return failure("22P04", "missing data for column %q", in.columns[n].Name)
	case n > len(in.columns):
		return failure("22P04", "extra data after last expected column")
	}
	format := int16(textFormat)
	if in.format == copyBinary {
		format = binaryFormat
	}
	for i, f := range in.fields {
		in.column = i
		if err := in.builders[i].add(f, format); err != nil {
			return err
		}
		in.size += len(f)
	}
	in.column = -1
	in.rows++
	in.batch++
	if in.batch < batchRows && in.size < batchBytes {
		return nil
	}
	return in.append(ctx, true)
}

// append writes the batch, or holds it back until the transaction's COMMIT.
func (in *copyInput) append(ctx context.Context, more bool) error {
	if in.batch == 0 && (more || in.kept == 0) {
		return nil
	}
	w := Write{Table: in.table, More: more}
	fields, arrays := make([]arrow.Field, len(in.columns)), make([]arrow.Array, len(in.columns))
	for i, c := range in.columns {
		w.Columns = append(w.Columns, c.Name)
		arrays[i] = in.builders[i].array()
		fields[i] = arrow.Field{Name: c.Name, Type: arrays[i].DataType(), Nullable: true}
	}
	w.Records = []arrow.RecordBatch{array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, int64(in.batch))}
	n := int64(in.batch)
	in.batch, in.size = 0, 0
	if in.session.tx == inTx {
		w.More = false
		return in.session.pending.add(w)
	}
	if _, err := in.session.server.Backend.Write(ctx, in.session.principal, w); err != nil {
		return err
	}
	in.kept += n
	return nil
}

func (in *copyInput) finish(ctx context.Context) error { return in.append(ctx, false) }
