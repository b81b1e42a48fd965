package auth

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leat/internal/auth/authtest"
	"leat/internal/types"
)

type publisher struct {
	mu    sync.Mutex
	keys  []any // guarded by mu
	err   error // guarded by mu
	count atomic.Int32
	hold  chan struct{}
}

func (p *publisher) fetch(context.Context, string) ([]byte, error) {
	p.count.Add(1)
	if p.hold != nil {
		<-p.hold
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return nil, p.err
	}
	return json.Marshal(object{"keys": p.keys})
}

func (p *publisher) set(err error, keys ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys, p.err = keys, err
}

func TestPublishedKeys(t *testing.T) {
	for _, algorithm := range []string{rs256, es256, eddsa} {
		t.Run(algorithm, func(t *testing.T) {
			w := newWorld(t)
			p := &publisher{}
			w.WithFetch(p.fetch)
			first, _ := authtest.Key(t, algorithm)
			second, _ := authtest.Key(t, algorithm)
			jwk := func(kid string, key any) any { return authtest.JWK(kid, key.(crypto.Signer).Public()) }
			sign := func(kid string, key any) string {
				return authtest.Sign(t, algorithm, key, object{"kid": kid}, good(nil))
			}
			// What is no key for this is passed over: secrets, keys for encryption, junk.
			junk := []any{object{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}, object{"kty": "RSA", "kid": "one", "use": "enc", "n": "AQAB", "e": "AQAB"}, 1, object{}, object{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}
			p.set(nil, append(junk, jwk("one", first))...)
			w.issuer(algorithm, "", func(s *IssuerSpec) { s.Keys, s.JWKSURL = nil, "https://id.example/keys" })
			if _, err := w.Authenticate(sign("one", first)); err != nil || p.count.Load() != 2 {
				t.Fatalf("%v after %d fetches", err, p.count.Load())
			}
			// An unknown kid fetches again, but not at once, and not twice.
			p.set(nil, jwk("one", first), jwk("two", second))
			for range 3 {
				w.wantRefused(sign("two", second), "kid")
			}
			w.at = w.at.Add(refreshApart)
			if _, err := w.Authenticate(sign("two", second)); err != nil || p.count.Load() != 3 {
				t.Fatalf("%v after %d fetches", err, p.count.Load())
			}
			// Keys that can't be fetched stay; why is told to admins.
			p.set(errors.New("connection refused"))
			w.at = w.at.Add(refreshEvery)
			w.wantRefused(sign("three", second), "kid")
			if _, err := w.Authenticate(sign("two", second)); err != nil {
				t.Errorf("the last good keys are gone: %v", err)
			}
			if info := w.Issuers()[0]; !strings.Contains(info.JWKSError, "refused") || len(info.Keys) != 2 || info.FetchedAt == nil {
				t.Errorf("%+v", info)
			}
			// A key that is not published any more is refused, cached or not.
			p.set(nil, jwk("two", second))
			w.at = w.at.Add(refreshApart)
			w.wantRefused(sign("three", second), "kid")
			w.wantRefused(sign("one", first), "kid")
		})
	}
}

func TestASlowPublisherHoldsNobody(t *testing.T) {
	w := newWorld(t)
	p := &publisher{}
	w.WithFetch(p.fetch)
	key, _ := authtest.Key(t, eddsa)
	p.set(nil, authtest.JWK("one", key.(crypto.Signer).Public()))
	w.issuer(eddsa, "", func(s *IssuerSpec) { s.Keys, s.JWKSURL = nil, "https://id.example/keys" })
	text := authtest.Sign(t, eddsa, key, object{"kid": "one"}, good(nil))
	if _, err := w.Authenticate(text); err != nil {
		t.Fatal(err)
	}
	w.at = w.at.Add(refreshApart)
	p.hold = make(chan struct{})
	before := p.count.Load()
	unknown := authtest.Sign(t, eddsa, key, object{"kid": "two"}, good(nil))
	done := make(chan error)
	go func() { _, err := w.Authenticate(unknown); done <- err }()
	for p.count.Load() == before {
		time.Sleep(time.Millisecond)
	}
	w.wantRefused(unknown, "kid") // at once, while the other waits
	if _, err := w.Authenticate(text); err != nil {
		t.Error(err)
	}
	close(p.hold)
	if err := <-done; !types.HasCode(err, types.Unauthenticated) {
		t.Error(err)
	}
}

func TestWithoutKeysItIsUnavailable(t *testing.T) {
	w := newWorld(t)
	p := &publisher{}
	w.WithFetch(p.fetch)
	key, _ := authtest.Key(t, eddsa)
	p.set(nil, authtest.JWK("one", key.(crypto.Signer).Public()))
	w.issuer(eddsa, "", func(s *IssuerSpec) { s.Keys, s.JWKSURL = nil, "https://id.example/keys" })
	p.set(errors.New("10.1.2.3: no route"))
	again := NewService(w.store, false).WithFetch(p.fetch) // as after a restart
	again.now = w.now
	_, err := again.Authenticate(authtest.Sign(t, eddsa, key, nil, good(nil)))
	if !types.HasCode(err, types.Unavailable) || strings.Contains(err.Error(), "10.1.2.3") {
		t.Errorf("%v", err)
	}
	if _, err := w.CreateIssuer(t.Context(), IssuerSpec{Name: "b", Algorithm: eddsa, Issuer: "b", Audience: aud, Scopes: []string{"read:*"}, JWKSURL: "https://id.example/keys"}); err == nil {
		t.Error("an issuer whose keys can't be fetched is kept")
	}
}
