package query

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/push"
	"leat/internal/types"
)

// followed is a service over one table whose changes a test publishes.
type followed struct {
	*Service
	source *oneColumn
	hub    *push.Hub
	now    atomic.Pointer[catalog.Snapshot]
}

func follow(t *testing.T) *followed {
	f := &followed{source: &oneColumn{}, hub: push.New(push.Config{})}
	f.now.Store(objects(t))
	w := &world{snapshot: f.now.Load(), live: []types.ObjectID{f.now.Load().ByName("t").ID}}
	f.Service = New(Options{
		Catalog: f.now.Load, Store: w, Guard: w, Waiter: loaderWait{w}, Live: engine{w}, Log: engine{w},
		Feeds: Feeds{Hub: f.hub, Relation: func(o *catalog.Object) (push.Source, push.Shape, error) {
			return f.source, push.Shape{Columns: o.Stream.Schema.Columns, Key: []int{0}}, nil
		}},
	})
	return f
}

func (f *followed) subscribe(t *testing.T, r SubscribeRequest) *Subscription {
	t.Helper()
	r.Relation, r.NoSnapshot = "t", true
	if r.Principal.ID == "" {
		r.Principal = auth.Local
	}
	sub, err := f.Subscribe(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func TestSubscriptionsAreRefused(t *testing.T) {
	f := follow(t)
	reader := auth.Principal{ID: "r", Scopes: []auth.Scope{{Action: auth.Read, Object: "t"}}}
	text := "x"
	for name, c := range map[string]struct {
		r    SubscribeRequest
		code types.Code
	}{
		"no relation":     {SubscribeRequest{Principal: auth.Local, Relation: "none"}, types.NotFound},
		"no endpoint":     {SubscribeRequest{Principal: auth.Local, Endpoint: "none"}, types.NotFound},
		"a stream":        {SubscribeRequest{Principal: auth.Local, Relation: "s"}, types.InvalidArgument},
		"no right":        {SubscribeRequest{Principal: reader, Relation: "m"}, types.PermissionDenied},
		"a damaged id":    {SubscribeRequest{Principal: reader, Relation: "t", From: "x"}, types.InvalidArgument},
		"a limit":         {SubscribeRequest{Principal: reader, Relation: "t", Limit: MaxLimit + 1}, types.InvalidArgument},
		"no such column":  {SubscribeRequest{Principal: reader, Relation: "t", Where: []KeyValue{{"j", &text}}}, types.UnknownColumn},
		"no filter of it": {SubscribeRequest{Principal: filtered(map[string]auth.Filter{"other": {}}), Relation: "t"}, types.PermissionDenied},
	} {
		sub, err := f.Subscribe(t.Context(), c.r)
		if !types.HasCode(err, c.code) || sub != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := f.hub.Metrics().Subscribers; n != 0 {
		t.Errorf("%d subscribers are left", n)
	}
}

// How a subscription ends, or begins anew.
func TestSubscriptionsEnd(t *testing.T) {
	t.Run("anew", func(t *testing.T) {
		f := follow(t)
		sub := f.subscribe(t, SubscribeRequest{})
		defer sub.Close()
		f.source.sink.Ended("a test")
		if e, err := sub.Next(t.Context()); err != nil || e.Kind != push.Reset || e.Reason != "a test" {
			t.Fatalf("%+v, %v", e, err)
		}
		next := make(chan *Event, 1)
		ready := make(chan struct{})
		go func() {
			e, _ := sub.Next(t.Context())
			next <- e
		}()
		go func() {
			defer close(ready)
			for f.hub.Metrics().Subscribers == 0 {
				time.Sleep(time.Millisecond)
			}
		}()
		<-ready
		f.source.sink.Published(f.source, bigints(5))
		if e := <-next; e == nil || e.Kind != push.Changes {
			t.Errorf("%+v", e)
		}
	})
	t.Run("dropped", func(t *testing.T) {
		f := follow(t)
		sub := f.subscribe(t, SubscribeRequest{})
		defer sub.Close()
		c, err := catalog.Open(t.TempDir(), catalog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		f.now.Store(c.Snapshot())
		f.source.sink.Ended("it was dropped")
		if _, err := sub.Next(t.Context()); !types.HasCode(err, types.NotFound) {
			t.Error(err)
		}
	})
	t.Run("too slow", func(t *testing.T) {
		f := follow(t)
		cut, anew := f.subscribe(t, SubscribeRequest{Cut: true}), f.subscribe(t, SubscribeRequest{})
		defer cut.Close()
		defer anew.Close()
		many := make([]int64, 100_000)
		for range 20 { // more than the ring keeps
			f.source.sink.Published(f.source, bigints(many...))
		}
		for !cut.Ready() {
			time.Sleep(time.Millisecond)
		}
		var err error
		for err == nil {
			_, err = cut.Next(t.Context())
		}
		if !types.HasCode(err, types.Conflict) {
			t.Error(err)
		}
		for {
			e, err := anew.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == push.Reset {
				break
			}
		}
	})
	t.Run("the server stops", func(t *testing.T) {
		f := follow(t)
		sub := f.subscribe(t, SubscribeRequest{})
		defer sub.Close()
		f.hub.Stop()
		if _, err := sub.Next(t.Context()); !types.HasCode(err, types.Unavailable) {
			t.Error(err)
		}
	})
	t.Run("expired", func(t *testing.T) {
		f := follow(t)
		who := auth.Local
		who.Expires = time.Now().Add(50 * time.Millisecond)
		sub := f.subscribe(t, SubscribeRequest{Principal: who})
		defer sub.Close()
		if _, err := sub.Next(t.Context()); !types.HasCode(err, types.Unauthenticated) {
			t.Error(err)
		}
		if _, err := sub.Next(t.Context()); !types.HasCode(err, types.Unauthenticated) {
			t.Error(err)
		}
	})
	t.Run("the wait", func(t *testing.T) {
		f := follow(t)
		synctest.Test(t, func(t *testing.T) {
			sub := f.subscribe(t, SubscribeRequest{Idle: 15 * time.Second})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := sub.Next(ctx); !types.HasCode(err, types.Timeout) {
				t.Error(err)
			}
			began := time.Now()
			if e, err := sub.Next(t.Context()); err != nil || e.Kind != push.Idle || time.Since(began) > 15*time.Second {
				t.Errorf("%+v, %v after %s", e, err, time.Since(began))
			}
			sub.Close()
			f.hub.Stop()
			<-f.hub.Left()
		})
	})
}

// Conditions of the caller are columns with values, NULL by its own name.
func TestConditionsOfFollowers(t *testing.T) {
	f := follow(t)
	f.Feeds.Value = nil
	sub := f.subscribe(t, SubscribeRequest{Where: []KeyValue{{Column: "K.null"}}})
	defer sub.Close()
	f.source.sink.Published(f.source, bigints(5))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if e, err := sub.Next(ctx); err == nil {
		t.Errorf("%+v", e)
	} else if !strings.Contains(err.Error(), "in time") {
		t.Error(err)
	}
}
