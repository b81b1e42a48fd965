package run

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"
)

func TestWaitingReadsAll(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), 1<<16)
	got, err := io.ReadAll(newWaiting(bytes.NewReader(want), nil))
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes of %d, %v", len(got), len(want), err)
	}
}

func TestWaitingReady(t *testing.T) {
	r, w := io.Pipe()
	in := newWaiting(r, nil)
	if in.ready(time.Millisecond) {
		t.Fatal("there is nothing yet")
	}
	go w.Write([]byte("x"))
	if !in.ready(time.Minute) || !in.ready(0) {
		t.Fatal("there is something")
	}
	b := make([]byte, 4)
	if n, err := in.Read(b); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.CloseWithError(io.ErrUnexpectedEOF)
	if _, err := in.Read(b); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
}

// A run that is to end doesn't wait for a pipe or for a file to grow.
func TestWaitingEnds(t *testing.T) {
	done := make(chan struct{})
	r, w := io.Pipe()
	defer w.Close()
	for _, in := range []io.Reader{newWaiting(r, done), &tail{bytes.NewReader(nil), done}} {
		ended := make(chan error)
		go func() {
			_, err := in.Read(make([]byte, 1))
			ended <- err
		}()
		select {
		case <-done:
		default:
			close(done)
		}
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
}
