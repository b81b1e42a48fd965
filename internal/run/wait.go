package run

import (
	"errors"
	"io"
	"time"
)

// poll is how often the end of a followed file is looked at.
const poll = 50 * time.Millisecond

// tail reads a file that grows: at its end it waits, until done.
type tail struct {
	r    io.Reader
	done <-chan struct{}
}

func (t *tail) Read(p []byte) (int, error) {
	for {
		n, err := t.r.Read(p)
		if n > 0 || err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		select {
		case <-t.done:
			return 0, io.EOF
		case <-time.After(poll):
		}
	}
}

// waiting reads a pipe. A read of one that waits can't be called back: once done is closed its goroutine, which ends with the process at
// the latest, is left alone and the pipe has come to its end.
type waiting struct {
	done   <-chan struct{}
	pieces chan piece
	free   chan []byte
	// rest is what the last piece still holds, of is all of it.
	rest, of []byte
	err      error
}

type piece struct {
	bytes []byte
	err   error
}

// pipeBytes is how much is read at once.
const pipeBytes = 256 << 10

func newWaiting(r io.Reader, done <-chan struct{}) *waiting {
	w := &waiting{done: done, pieces: make(chan piece), free: make(chan []byte, 2)}
	w.free <- make([]byte, pipeBytes)
	w.free <- make([]byte, pipeBytes)
	go w.fill(r)
	return w
}

func (w *waiting) fill(r io.Reader) {
	for {
		var p []byte
		select {
		case p = <-w.free:
		case <-w.done:
			return
		}
		n, err := r.Read(p[:pipeBytes])
		select {
		case w.pieces <- piece{p[:n], err}:
		case <-w.done:
			return
		}
		if err != nil {
			return
		}
	}
}

func (w *waiting) Read(p []byte) (int, error) {
	for len(w.rest) == 0 && w.err == nil {
		if w.of != nil {
			w.free <- w.of
			w.of = nil
		}
		select {
		case got := <-w.pieces:
			w.rest, w.of, w.err = got.bytes, got.bytes, got.err
		case <-w.done:
			return 0, io.EOF
		}
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	if n == 0 {
		return 0, w.err
	}
	return n, nil
}
