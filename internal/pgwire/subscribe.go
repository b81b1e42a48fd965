package pgwire

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"

	"leat/internal/types"
)

// The first columns of a SUBSCRIBE, before those of the view.
const (
	columnPosition   = "leat_position"
	columnProgressed = "leat_progressed"
	columnDiff       = "leat_diff"
)

// subscribe is SUBSCRIBE [TO] view [WITH (SNAPSHOT [=] b, PROGRESS [=] b)].
type subscribe struct {
	view               string
	snapshot, progress bool
}

func parseSubscribe(r *reader) (*subscribe, error) {
	s := &subscribe{snapshot: true}
	r.accept("SUBSCRIBE")
	r.accept("TO")
	if r.is("(") || r.is("SELECT") {
		return nil, withState(types.Errorf(types.Unsupported, "SUBSCRIBE follows a view, not a query").WithHint("CREATE MATERIALIZED VIEW v AS ..., then SUBSCRIBE v"), "0A000")
	}
	s.view = r.ident()
	if s.view == "public" && r.accept(".") {
		s.view = r.ident()
	}
	if s.view == "" {
		return nil, syntax(r)
	}
	if !r.accept("WITH") {
		if !r.end() && !r.is(")") {
			return nil, syntax(r)
		}
		return s, nil
	}
	err := withOptions(r, func(name, value string) error {
		on := true
		if value != "" {
			var ok bool
			if on, ok = parseBool([]byte(value)); !ok {
				return failure("22023", "%s requires a Boolean value", name)
			}
		}
		switch name {
		case "snapshot":
			s.snapshot = on
		case "progress":
			s.progress = on
		default:
			return failure("42601", "unknown option %.60q of SUBSCRIBE: there are SNAPSHOT and PROGRESS", name)
		}
		return nil
	})
	return s, err
}

// withOptions reads (name [=] value, ...).
func withOptions(r *reader, option func(name, value string) error) error {
	if !r.accept("(") {
		return syntax(r)
	}
	for {
		name := r.ident()
		if name == "" {
			return syntax(r)
		}
		equals := r.accept("=")
		value := ""
		if equals || !r.is(",") && !r.is(")") {
			var ok bool
			if value, ok = r.value(); !ok {
				return syntax(r)
			}
		}
		if err := option(name, value); err != nil {
			return err
		}
		if r.accept(")") {
			return nil
		}
		if !r.accept(",") {
			return syntax(r)
		}
	}
}

// waiting is how long a FETCH waits for more rows. Where set is false it waits for one, and takes what is there with it.
type waiting struct {
	set   bool
	limit time.Duration
}

// parseWaiting reads (timeout = '5s').
func parseWaiting(r *reader) (w waiting, err error) {
	err = withOptions(r, func(name, value string) error {
		d, ok := seconds(value)
		if name != "timeout" || !ok || d < 0 {
			return hinted(failure("22023", "FETCH takes WITH (timeout = '5s')"), "a number without a unit counts seconds")
		}
		w.set, w.limit = true, d
		return nil
	})
	return w, err
}

// seconds reads a duration; a number alone counts seconds, as in Materialize.
func seconds(v string) (time.Duration, bool) {
	if n, err := strconv.ParseFloat(v, 64); err == nil {
		return time.Duration(n * float64(time.Second)), n >= 0 && n < 1e6
	}
	d, err := time.ParseDuration(strings.ReplaceAll(v, " ", ""))
	return d, err == nil
}

// maxWait bounds what a FETCH without a timeout waits; atOnce is long enough to take what is there already.
const (
	maxWait = time.Hour
	atOnce  = time.Millisecond
)

// subscribeSource gives the changes of a view as rows.
type subscribeSource struct {
	sub      Subscription
	progress bool
	shown    []column
	cells    []cell
	made     bool

	now Changes
	row int
	// marked says that the mark of now was given, or is not wanted.
	marked bool
	// left and until bound the present FETCH; eager ends it once rows that are there already were given.
	left  int64
	until time.Time
	eager bool
	given int64
}

// subscribe begins to follow a view.
func (s *session) subscribe(ctx context.Context, sub *subscribe) (*subscribeSource, error) {
	following, err := s.server.Backend.Subscribe(ctx, s.principal, sub.view, sub.snapshot)
	if err != nil {
		return nil, err
	}
	out := &subscribeSource{sub: following, progress: sub.progress, marked: true}
	out.shown = append(out.shown, textColumn(columnPosition))
	if sub.progress {
		out.shown = append(out.shown, columnOf(types.Column{Name: columnProgressed, Type: types.Of(types.Boolean)}))
	}
	out.shown = append(out.shown, columnOf(types.Column{Name: columnDiff, Type: types.Of(types.BigInt)}))
	out.shown = append(out.shown, columnsOf(following.Columns())...)
	return out, nil
}

// begin starts a FETCH.
func (f *subscribeSource) begin(count int64, w waiting) {
	f.left, f.given = count, 0
	f.eager = !w.set
	f.until = time.Now().Add(maxWait)
	if w.set {
		f.until = time.Now().Add(max(w.limit, atOnce))
	}
}

// next gives the next change; ok is false where the FETCH has what it may have.
func (f *subscribeSource) next(ctx context.Context, b []byte, formats []int16) ([]byte, bool, error) {
	for {
		if f.now.Record != nil && f.row < len(f.now.Diffs) {
			row := f.row
			f.row++
			f.given++
			return f.append(b, formats, row), true, nil
		}
		if !f.marked {
			f.marked = true
			f.given++
			return f.append(b, formats, -1), true, nil
		}
		more, err := f.wait(ctx)
		if err != nil || !more {
			return b, false, err
		}
	}
}

// wait takes the next changes; more is false when the FETCH's time is over.
func (f *subscribeSource) wait(ctx context.Context) (more bool, err error) {
	until := f.until
	if f.eager && f.given > 0 {
		until = time.Now().Add(atOnce)
	}
	bounded, stop := context.WithDeadline(ctx, until)
	defer stop()
	next, err := f.sub.Next(bounded)
	if err != nil {
		if ctx.Err() == nil && (errors.Is(bounded.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)) {
			return false, nil
		}
		return false, err
	}
	f.now, f.row, f.marked, f.made = next, 0, !f.progress || next.Part, false
	return true, nil
}

// append appends a change as a tuple; row -1 is the mark of progress.
func (f *subscribeSource) append(b []byte, formats []int16, row int) []byte {
	if row >= 0 && !f.made {
		f.made = true
		columns := f.sub.Columns()
		first := len(f.shown) - len(columns)
		f.cells = make([]cell, len(columns))
		for i, c := range columns {
			f.cells[i].of(c.Type, formatOf(formats, first+i))
			f.cells[i].set(f.now.Record.Column(i))
		}
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(f.shown)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.now.Position)))
	b = append(b, f.now.Position...)
	if f.progress {
		b = appendBool(b, row < 0, formatOf(formats, 1))
	}
	if row < 0 {
		for range len(f.sub.Columns()) + 1 {
			b = append(b, 0xff, 0xff, 0xff, 0xff)
		}
		return b
	}
	b = appendInt8(b, f.now.Diffs[row], formatOf(formats, len(f.shown)-len(f.cells)-1))
	for i := range f.cells {
		b = f.cells[i].value(b, row)
	}
	return b
}

func appendBool(b []byte, v bool, format int16) []byte {
	text := map[bool]byte{false: 'f', true: 't'}[v]
	if format == binaryFormat {
		text = map[bool]byte{false: 0, true: 1}[v]
	}
	return append(b, 0, 0, 0, 1, text)
}

func appendInt8(b []byte, v int64, format int16) []byte {
	if format == binaryFormat {
		return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 8), uint64(v))
	}
	at := len(b)
	b = strconv.AppendInt(append(b, 0, 0, 0, 0), v, 10)
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

func (f *subscribeSource) truncated() bool { return false }
func (f *subscribeSource) close()          { _ = f.sub.Close() }

// drained reports whether all rows were given that are there.
func (f *subscribeSource) drained() bool {
	return f.marked && (f.now.Record == nil || f.row >= len(f.now.Diffs))
}
