package pgwire

import (
	"context"
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/pgwire/pgcatalog"
	"leat/internal/types"
)

// source gives the rows of an answer.
type source interface {
	// next appends the next row as DataRow and COPY's binary format have it: the number of fields, then length and value of each. ok is false at
	// the end.
	next(ctx context.Context, b []byte, formats []int16) (out []byte, ok bool, err error)
	// truncated says, after the end, whether a limit cut the rows.
	truncated() bool
	close()
}

// arrowSource reads a backend's result.
type arrowSource struct {
	rows    Rows
	columns []types.Column
	record  arrow.RecordBatch
	row, n  int
	cells   []cell
	formats []int16
	// spool are records that were read ahead.
	spool *spool
	done  bool
	cut   bool // of a result that was read ahead
}

// fit makes the cells for the formats, which FETCH may change from call to call.
func (a *arrowSource) fit(formats []int16) {
	same := len(a.cells) == len(a.columns) && len(a.formats) == len(formats)
	for i := 0; same && i < len(formats); i++ {
		same = a.formats[i] == formats[i]
	}
	if same {
		return
	}
	a.formats = append(a.formats[:0], formats...)
	if cap(a.cells) < len(a.columns) {
		a.cells = make([]cell, len(a.columns))
	}
	a.cells = a.cells[:len(a.columns)]
	for i, c := range a.columns {
		a.cells[i].of(c.Type, formatOf(formats, i))
		if a.record != nil {
			a.cells[i].set(a.record.Column(i))
		}
	}
}

func (a *arrowSource) next(ctx context.Context, b []byte, formats []int16) ([]byte, bool, error) {
	for a.record == nil || a.row >= a.n {
		rec, err := a.read(ctx)
		if err != nil || rec == nil {
			a.record = nil
			return b, false, err
		}
		a.record, a.row, a.n = rec, 0, int(rec.NumRows())
		if len(a.cells) == 0 {
			a.fit(formats)
		}
		for i := range a.cells {
			a.cells[i].set(rec.Column(i))
		}
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(a.cells)))
	for i := range a.cells {
		b = a.cells[i].value(b, a.row)
	}
	a.row++
	return b, true, nil
}

// read takes the next record from the spool, else from the result.
func (a *arrowSource) read(ctx context.Context) (arrow.RecordBatch, error) {
	if a.spool != nil {
		rec, err := a.spool.next()
		if rec != nil || err != nil {
			return rec, err
		}
	}
	if a.done {
		return nil, nil
	}
	rec, err := a.rows.Next(ctx)
	if rec == nil {
		a.done = true
	}
	return rec, err
}

func (a *arrowSource) truncated() bool {
	if a.rows == nil {
		return a.cut
	}
	return a.rows.Truncated()
}

func (a *arrowSource) close() {
	if a.rows != nil {
		_ = a.rows.Close() // what failed was told by Next
	}
	if a.spool != nil {
		a.spool.close()
	}
}

// catalogSource reads a catalog's answer.
type catalogSource struct {
	result *pgcatalog.Result
	width  int
	row    int
}

func (c *catalogSource) next(_ context.Context, b []byte, formats []int16) ([]byte, bool, error) {
	if c.row >= c.result.Len() {
		return b, false, nil
	}
	b = binary.BigEndian.AppendUint16(b, uint16(c.width))
	for i := range c.width {
		at := len(b)
		out, null, err := c.result.Append(append(b, 0, 0, 0, 0), c.row, i, formatOf(formats, i))
		if err != nil {
			return b, false, err
		}
		b = out
		size := uint32(len(b) - at - 4)
		if null {
			b, size = b[:at+4], 0xffffffff
		}
		binary.BigEndian.PutUint32(b[at:], size)
	}
	c.row++
	return b, true, nil
}

func (c *catalogSource) truncated() bool { return false }
func (c *catalogSource) close()          {}

// textSource is a few rows of text.
type textSource struct {
	rows [][]string
	row  int
}

func (t *textSource) next(_ context.Context, b []byte, _ []int16) ([]byte, bool, error) {
	if t.row >= len(t.rows) {
		return b, false, nil
	}
	fields := t.rows[t.row]
	t.row++
	b = binary.BigEndian.AppendUint16(b, uint16(len(fields)))
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b, true, nil
}

func (t *textSource) truncated() bool { return false }
func (t *textSource) close()          {}
