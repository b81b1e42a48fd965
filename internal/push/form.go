package push

import (
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/codec/encode"
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// Form is a form of events on the wire.
type Form struct {
	// Messages is one JSON text an event, as WebSocket has it; else the text of Server-Sent Events.
	Messages bool
	// Int64AsString quotes integers beyond 32 bits.
	Int64AsString bool
}

// Encoded returns the event as it goes over the wire: messages one by one, or one text of Server-Sent Events. It is made once for all who ask;
// don't change it. An Event may be several of the wire: each row of Changes is one, and the last one bears the ID.
func (e *Event) Encoded(f Form) [][]byte {
	e.encoded.mu.Lock()
	defer e.encoded.mu.Unlock()
	if b, ok := e.encoded.forms[f]; ok {
		return b
	}
	w := writer{form: f}
	w.event(e)
	if e.encoded.forms == nil {
		e.encoded.forms = map[Form][][]byte{}
	}
	out := w.finish()
	e.encoded.forms[f] = out
	return out
}

// EncodeError is the last event of a subscription that was ended.
func EncodeError(f Form, err error) [][]byte {
	e := types.AsError(err)
	w := writer{form: f}
	w.begin("error", "")
	w.b = encode.String(append(w.b, `{"code":`...), string(e.Code))
	detail := e.Message
	if e.Code.Mapping() == types.Internal.Mapping() {
		detail = "internal error" // its message may hold what a client must not see
	}
	w.b = encode.String(append(w.b, `,"detail":`...), detail)
	if e.Hint != "" {
		w.b = encode.String(append(w.b, `,"hint":`...), e.Hint)
	}
	w.b = append(w.b, '}')
	w.end()
	return w.finish()
}

// writer gathers events of the wire.
type writer struct {
	form Form
	b    []byte
	// done are the messages before the present one, which is b.
	done [][]byte
}

// begin writes what stands before an event's data; id is "" where it has none.
func (w *writer) begin(event, id string) {
	if !w.form.Messages {
		w.b = append(append(append(w.b, "event: "...), event...), '\n')
		if id != "" {
			w.b = append(append(append(w.b, "id: "...), id...), '\n')
		}
		w.b = append(w.b, "data: "...)
		return
	}
	w.b = append(append(append(w.b, `{"event":"`...), event...), '"')
	if id != "" {
		w.b = append(append(append(w.b, `,"id":"`...), id...), '"')
	}
	w.b = append(w.b, `,"data":`...)
}

func (w *writer) end() {
	if !w.form.Messages {
		w.b = append(w.b, "\n\n"...)
		return
	}
	w.b = append(w.b, '}')
	w.done = append(w.done, w.b)
	w.b = nil
}

func (w *writer) finish() [][]byte {
	if len(w.b) > 0 {
		w.done = append(w.done, w.b)
	}
	return w.done
}

func (w *writer) event(e *Event) {
	switch e.Kind {
	case Snapshot:
		w.page(e)
	case Changes:
		w.changes(e)
	case Progress:
		w.begin("progress", e.ID)
		w.b = append(w.mark(append(w.b, '{'), e.Mark), `,"lag_ms":`...)
		w.b = append(strconv.AppendInt(w.b, int64((e.Lag+time.Millisecond-1)/time.Millisecond), 10), '}')
		w.end()
	case Reset:
		w.begin("reset", "")
		w.b = append(encode.String(append(w.b, `{"reason":`...), e.Reason), '}')
		w.end()
	case Idle:
		if w.form.Messages { // WebSocket has its own pings
			return
		}
		w.b = append(w.b, ":\n\n"...)
	}
}

// mark appends the members of a moment.
func (w *writer) mark(b []byte, m Mark) []byte {
	b = append(append(append(b, `"position":"`...), m.Position.Token()...), `","watermark":`...)
	if m.Watermark == types.NoWatermark {
		return append(b, "null"...)
	}
	return append(time.UnixMicro(m.Watermark).UTC().AppendFormat(append(b, '"'), "2006-01-02T15:04:05.000000Z"), '"')
}

func (w *writer) page(e *Event) {
	w.begin("snapshot", e.ID)
	w.b = append(w.b, `{"rows":[`...)
	if e.Rows.Rows() > 0 {
		object, first := w.objects(e, nil), true
		for i := range e.Rows.N {
			for range e.Rows.Weight(i) {
				if !first {
					w.b = append(w.b, ',')
				}
				w.b, first = object(w.b, i), false
			}
		}
	}
	w.b = strconv.AppendBool(append(w.b, `],"last":`...), e.Last)
	if e.Last {
		w.b = w.mark(append(w.b, ','), e.Mark)
	}
	w.b = append(w.b, '}')
	w.end()
}

// objects makes what appends some columns of the event's rows as objects; nil are all.
func (w *writer) objects(e *Event, columns []int) func([]byte, int) []byte {
	if columns == nil {
		columns = make([]int, len(e.Columns))
		for i := range columns {
			columns[i] = i
		}
	}
	var cs []types.Column
	var arrays []arrow.Array
	for _, c := range columns {
		cs, arrays = append(cs, e.Columns[c]), append(arrays, zset.ToArrow(e.Rows.Cols[c]))
	}
	return encode.Objects(cs, arrays, encode.Options{Int64AsString: w.form.Int64AsString})
}

// changes writes deletions first; where rows have a key, one that goes and comes again is one upsert.
func (w *writer) changes(e *Event) {
	if e.Key == nil {
		w.counted(e)
		return
	}
	gone, come := e.Paired()
	object, left := w.objects(e, nil), len(gone)+len(come)
	id := func() string {
		if left--; left == 0 {
			return e.ID
		}
		return ""
	}
	if len(gone) > 0 {
		key := w.objects(e, e.Key)
		for _, i := range gone {
			w.begin("delete", id())
			w.b = key(w.b, i)
			w.end()
		}
	}
	for _, i := range come {
		w.begin("upsert", id())
		w.b = object(w.b, i)
		w.end()
	}
}

// counted writes changes of rows that have no key: how many of each go or come.
func (w *writer) counted(e *Event) {
	object, left := w.objects(e, nil), e.Rows.N
	for _, gone := range []bool{true, false} {
		for i := range e.Rows.N {
			n := e.Rows.Weight(i)
			if n < 0 != gone {
				continue
			}
			name, id := "insert", ""
			if gone {
				name, n = "delete", -n
			}
			if left--; left == 0 {
				id = e.ID
			}
			w.begin(name, id)
			w.b = object(append(w.b, `{"row":`...), i)
			w.b = append(strconv.AppendInt(append(w.b, `,"count":`...), n, 10), '}')
			w.end()
		}
	}
}

// Paired are the rows of Changes with a key by what they do to it: gone are the keys that have no row any more, come the rows as they are now.
func (e *Event) Paired() (gone, come []int) {
	if e.Rows.Rows() == 0 {
		return nil, nil
	}
	var ts []types.Type
	var cols []*zset.Vec
	for _, c := range e.Key {
		ts, cols = append(ts, e.Columns[c].Type), append(cols, zset.Normalize(e.Rows.Cols[c]))
	}
	codec := zset.NewKeyCodec(ts, nil)
	there := map[string]bool{}
	var key []byte
	if e.Rows.W == nil {
		return nil, all(e.Rows.N)
	}
	for i, w := range e.Rows.W {
		if w > 0 {
			key = codec.Append(key[:0], cols, i)
			there[string(key)] = true
			come = append(come, i)
		}
	}
	for i, w := range e.Rows.W {
		if w < 0 {
			if key = codec.Append(key[:0], cols, i); !there[string(key)] {
				gone = append(gone, i)
			}
		}
	}
	return gone, come
}

func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
