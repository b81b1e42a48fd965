package api

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"leat/internal/types"
)

// response remembers what was answered and gives each write its own deadline.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	id      string
	start   time.Time
	timeout time.Duration
	// extended is when the write deadline was last moved.
	extended time.Time
	status   int
	bytes    int64
	// aborted is set when the connection must be cut.
	aborted bool
	// most is how many bytes the answer may have; 0 is any number. tooLong is the error of a longer one.
	most    int64
	tooLong *types.Error
}

// WriteHeader is part of http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.extend()
	w.ResponseWriter.WriteHeader(status)
}

// Write is part of http.ResponseWriter. A client that reads too slowly makes it fail with types.Canceled.
func (w *response) Write(b []byte) (int, error) {
	if w.most > 0 && w.bytes+int64(len(b)) > w.most {
		return 0, w.tooLong
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.extend()
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	if err != nil {
		err = types.Errorf(types.Canceled, "the client stopped reading after %d bytes: %w", w.bytes, err)
	}
	return n, err
}

// extend gives the next write its time. A deadline outlives its request on a kept connection, so each request moves it.
func (w *response) extend() {
	// Moving it costs a timer of the runtime; a quarter of the timeout is exact enough.
	if now := time.Now(); now.Sub(w.extended) > w.timeout/4 {
		w.extended = now
		_ = w.control.SetWriteDeadline(now.Add(w.timeout)) // test writers have none
	}
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// pacedBody makes a body keep up a least rate: after n bytes it must have its next bytes within BodyGrace + n/MinBodyRate of
// its start. A client that drips bytes thus ends, however long its body claims to be.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	start   time.Time
	grace   time.Duration
	rate    int64
	read    int64
	// until is the deadline in force.
	until time.Time
}

func newPacedBody(inner io.ReadCloser, control *http.ResponseController, l Limits) *pacedBody {
	b := &pacedBody{ReadCloser: inner, control: control, start: time.Now(), grace: l.BodyGrace, rate: l.MinBodyRate}
	b.extend()
	return b
}

// extend moves the deadline when the bytes read so far have earned enough time to make that worth while.
func (b *pacedBody) extend() {
	until := b.start.Add(b.grace + time.Duration(float64(b.read)/float64(b.rate)*float64(time.Second)))
	if b.until.IsZero() || until.Sub(b.until) > b.grace/8 {
		b.until = until
		_ = b.control.SetReadDeadline(until) // test writers have none
	}
}

// Read is part of io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	switch {
	case err == nil:
		b.extend()
	case errors.Is(err, io.EOF):
		// The server watches the connection from now on; that must not time out.
		_ = b.control.SetReadDeadline(time.Time{})
	default:
		err = b.explain(err)
	}
	return n, err
}

func (b *pacedBody) explain(err error) error {
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return types.Errorf(types.Timeout, "the body came too slowly: %d bytes in %s", b.read, time.Since(b.start).Round(time.Millisecond)).
			WithHint("send at least %d bytes/s", b.rate)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return types.Errorf(types.Canceled, "the client went away after %d bytes of its body", b.read)
	}
	return err
}

// limitListener accepts while a slot is free.
type limitListener struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

// Accept is part of net.Listener.
func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, free: func() { <-l.slots }}, nil
}

// Close is part of net.Listener.
func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// limitedConn gives its slot back when it is closed.
type limitedConn struct {
	net.Conn
	once sync.Once
	free func()
}

// Close is part of net.Conn.
func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.free)
	return err
}
