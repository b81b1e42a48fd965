package pgwire

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"leat/internal/types"
)

// Sizes of the buffers of a connection.
const (
	readBuffer = 8 << 10
	// flushAt is how many bytes of an answer are gathered before they are sent.
	flushAt = 32 << 10
	// keepBuffer is how large a buffer may stay between messages.
	keepBuffer = 256 << 10
)

// writeWithin is how long a client may take to accept what is sent; the deadline is renewed each renewEvery at most, since setting it costs.
const (
	writeWithin = 60 * time.Second
	renewEvery  = 5 * time.Second
)

// wire frames messages on a connection. One goroutine uses it.
type wire struct {
	conn net.Conn
	// in[from:to] was read and not used yet. Bodies of messages are slices of in.
	in       []byte
	from, to int
	max      int // bytes of a message
	// grow, if set, is told before in grows by so many bytes.
	grow func(more int) error
	// out is what waits to be sent.
	out     []byte
	renewed time.Time
	// read and written count bytes.
	read, written int64
}

func newWire(c net.Conn, limit int) wire {
	return wire{conn: c, in: make([]byte, readBuffer), out: make([]byte, 0, 1024), max: limit}
}

// fill reads until n bytes wait. The buffer grows with what has arrived, not with what was announced.
func (w *wire) fill(n int) error {
	for w.to-w.from < n {
		if w.from > 0 && (w.from == w.to || len(w.in)-w.from < n) {
			w.to = copy(w.in, w.in[w.from:w.to])
			w.from = 0
		}
		if w.to == len(w.in) {
			size := min(2*len(w.in), max(n, readBuffer))
			if w.grow != nil {
				if err := w.grow(size - len(w.in)); err != nil {
					return err
				}
			}
			grown := make([]byte, size)
			w.to = copy(grown, w.in[w.from:w.to])
			w.in, w.from = grown, 0
		}
		got, err := w.conn.Read(w.in[w.to:])
		w.to += got
		w.read += int64(got)
		if err != nil && w.to-w.from < n {
			if errors.Is(err, io.EOF) && w.to > w.from {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// next reads a message; its body is valid until the next call.
func (w *wire) next() (kind byte, body []byte, err error) {
	if w.from == w.to && len(w.in) > keepBuffer {
		w.in, w.from, w.to = make([]byte, readBuffer), 0, 0
	}
	if err := w.fill(5); err != nil {
		return 0, nil, err
	}
	kind = w.in[w.from]
	n := int(binary.BigEndian.Uint32(w.in[w.from+1:]))
	if n < 4 || n-4 > w.max {
		return 0, nil, tooLong(n, w.max)
	}
	if err := w.fill(n + 1); err != nil {
		return 0, nil, err
	}
	body = w.in[w.from+5 : w.from+1+n]
	w.from += n + 1
	return kind, body, nil
}

func tooLong(n, limit int) error {
	return withState(types.Errorf(types.PayloadTooLarge, "invalid message length %d: at most %d bytes are taken", uint32(n), limit), "08P01")
}

// waiting reports whether a whole message was read already.
func (w *wire) waiting() bool {
	return w.to-w.from >= 5 && w.to-w.from > int(binary.BigEndian.Uint32(w.in[w.from+1:]))
}

// begin starts a message and returns where, for finish.
func (w *wire) begin(kind byte) int {
	at := len(w.out)
	w.out = append(w.out, kind, 0, 0, 0, 0)
	return at
}

func (w *wire) finish(at int) { binary.BigEndian.PutUint32(w.out[at+1:], uint32(len(w.out)-at-1)) }

// message appends a message with a short body.
func (w *wire) message(kind byte, body ...byte) {
	at := w.begin(kind)
	w.out = append(w.out, body...)
	w.finish(at)
}

// flush sends what waits.
func (w *wire) flush() error {
	if len(w.out) == 0 {
		return nil
	}
	if now := time.Now(); now.Sub(w.renewed) > renewEvery {
		w.renewed = now
		if err := w.conn.SetWriteDeadline(now.Add(writeWithin)); err != nil {
			return err
		}
	}
	n, err := w.conn.Write(w.out)
	w.written += int64(n)
	if cap(w.out) > keepBuffer {
		w.out = make([]byte, 0, 1024)
	}
	w.out = w.out[:0]
	return err
}

// spill sends what waits if it is much.
func (w *wire) spill() error {
	if len(w.out) < flushAt {
		return nil
	}
	return w.flush()
}

// fields reads the parts of a message's body. The first one that is missing sets bad; all later ones are zero.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) take(n int) []byte {
	if n < 0 || n > len(f.b) {
		f.bad, f.b = true, nil
		return nil
	}
	out := f.b[:n:n]
	f.b = f.b[n:]
	return out
}

func (f *fields) byte() byte {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *fields) int16() int16 {
	if b := f.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (f *fields) int32() int32 {
	if b := f.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// cstring reads up to a zero byte.
func (f *fields) cstring() []byte {
	for i, c := range f.b {
		if c == 0 {
			out := f.b[:i:i]
			f.b = f.b[i+1:]
			return out
		}
	}
	f.bad, f.b = true, nil
	return nil
}

// count reads the int16 before a list whose items take at least size bytes each.
func (f *fields) count(size int) int {
	n := int(uint16(f.int16()))
	if n*size > len(f.b) {
		f.bad, f.b = true, nil
		return 0
	}
	return n
}
