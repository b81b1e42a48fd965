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

// waiting reads a pipe ahead, so that who was busy finds all that has come since at once. A read of one that waits can't be called back: once
// done is closed its goroutine, which ends with the process at the latest, is left alone and the pipe has come to its end.
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

// Sizes of what is read ahead: a piece is what a pipe gives at once.
const (
	pipeBytes  = 64 << 10
	pipePieces = 48
)

func newWaiting(r io.Reader, done <-chan struct{}) *waiting {
	w := &waiting{done: done, pieces: make(chan piece, pipePieces), free: make(chan []byte, pipePieces)}
	go w.fill(r)
	return w
}

func (w *waiting) fill(r io.Reader) {
	for {
		var p []byte
		select {
		case p = <-w.free:
		default:
			p = make([]byte, pipeBytes)
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

// Read waits for the first byte and takes as many as there are.
func (w *waiting) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(w.rest) == 0 && !w.next(n == 0) {
			break
		}
		m := copy(p[n:], w.rest)
		w.rest, n = w.rest[m:], n+m
	}
	if n == 0 && len(p) > 0 {
		return 0, w.err
	}
	return n, nil
}

// next takes the next piece that is not empty, if there is one or if it may wait for it.
func (w *waiting) next(wait bool) bool {
	for len(w.rest) == 0 && w.err == nil {
		if w.of != nil {
			select {
			case w.free <- w.of:
			default:
			}
			w.of = nil
		}
		var got piece
		if wait {
			select {
			case got = <-w.pieces:
			case <-w.done:
				w.err = io.EOF
				return false
			}
		} else {
			select {
			case got = <-w.pieces:
			default:
				return false
			}
		}
		w.rest, w.of, w.err = got.bytes, got.bytes, got.err
	}
	return len(w.rest) > 0
}

// ready reports whether there is more, or the end, waiting for it so long.
func (w *waiting) ready(wait time.Duration) bool {
	if !w.next(false) && w.err == nil {
		select {
		case got := <-w.pieces:
			w.rest, w.of, w.err = got.bytes, got.bytes, got.err
		case <-w.done:
		case <-time.After(wait):
		}
	}
	return len(w.rest) > 0 || w.err != nil
}
