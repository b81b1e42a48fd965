package ingest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"leat/internal/types"
)

func TestBudgetWaitsThenRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100, time.Second)
		first, second := &share{of: b}, &share{of: b}
		if err := first.grow(t.Context(), 80); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := second.grow(t.Context(), 30); !types.HasCode(err, types.TooManyRequests) || time.Since(began) != time.Second {
			t.Fatalf("got %v after %s", err, time.Since(began))
		}
		go func() {
			time.Sleep(time.Second / 2)
			first.release()
		}()
		if err := second.grow(t.Context(), 30); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := first.grow(ctx, 80); !types.HasCode(err, types.Canceled) {
			t.Fatalf("got %v", err)
		}
		second.release()
		if b.inUse() != 0 {
			t.Fatalf("%d bytes are left", b.inUse())
		}
	})
}

func TestFenceKeepsWritersOutWhileHeld(t *testing.T) {
	var f Fences
	inside := 0 // guarded by the fence; the race detector sees a writer beside a reader
	release := f.Read(7)
	f.Write(8)() // another stream's fence is free
	written := make(chan int)
	go func() {
		defer f.Write(7)()
		inside++
		written <- inside
	}()
	if inside != 0 {
		t.Fatal("the schema changed under a reader")
	}
	release()
	if got := <-written; got != 1 {
		t.Fatalf("got %d", got)
	}
}
