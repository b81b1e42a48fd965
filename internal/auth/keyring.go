package auth

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"leat/internal/catalog"
	"leat/internal/types"
)

// Times of published keys.
const (
	// refreshEvery is how old keys get before they are fetched again in the background.
	refreshEvery = 10 * time.Minute
	// refreshApart is the least time between two fetches of one issuer, however many JWTs name unknown keys.
	refreshApart = 30 * time.Second
	// fetchTimeout bounds one fetch, and so what an unknown kid can delay a request.
	fetchTimeout = 5 * time.Second
)

// Fetch gets a document over HTTP; egress is behind it, which bounds size and destination.
type Fetch func(ctx context.Context, url string) ([]byte, error)

// keySet are the keys of an issuer at one time. It is immutable; another set is another pointer.
type keySet struct {
	keys []verifyKey
	at   time.Time
}

// pick returns the keys that a JWT with this kid ("" for none) may be signed with. Keys that were given without a kid fit any.
func (k *keySet) pick(kid string) []verifyKey {
	if k == nil {
		return nil
	}
	var out []verifyKey
	for _, key := range k.keys {
		if kid == "" || key.kid == kid || key.kid == "" {
			out = append(out, key)
		}
	}
	return out
}

// keyring holds an issuer's keys: the fixed ones, or the last good set of those that it publishes.
type keyring struct {
	issuer *catalog.Issuer
	fetch  Fetch
	now    func() time.Time
	set    atomic.Pointer[keySet]

	// fetching is held by who fetches; others wait for it.
	fetching sync.Mutex
	mu       sync.Mutex
	tried    time.Time // when the last fetch began; guarded by mu
	failure  error     // of the last fetch; guarded by mu
}

// newKeyring reads the fixed keys; the catalog's were checked when they were put.
func newKeyring(i *catalog.Issuer, fetch Fetch, now func() time.Time) (*keyring, error) {
	r := &keyring{issuer: i, fetch: fetch, now: now}
	if i.JWKSURL != "" {
		return r, nil
	}
	set := &keySet{}
	for _, k := range i.Keys {
		key := verifyKey{kid: k.KID, key: k.Secret}
		if i.Algorithm != hs256 {
			public, err := parsePEM(i.Algorithm, k.PEM)
			if err != nil {
				return nil, err
			}
			key.key = public
		}
		set.keys = append(set.keys, key)
	}
	r.set.Store(set)
	return r, nil
}

// find returns the keys for a kid, fetching published ones where it is unknown and the last fetch is long enough ago.
func (r *keyring) find(ctx context.Context, kid string) ([]verifyKey, *keySet, error) {
	set := r.set.Load()
	if keys := set.pick(kid); len(keys) > 0 || r.issuer.JWKSURL == "" {
		return keys, set, nil
	}
	if err := r.refresh(ctx, refreshApart); err != nil && r.set.Load() == nil {
		e := types.Errorf(types.Unavailable, "the keys of issuer %s can't be fetched now", r.issuer.Name) // why is not for who only sends a JWT
		e.Cause = err
		return nil, nil, e.WithHint("an admin sees why with `leat issuer list`")
	}
	set = r.set.Load()
	return set.pick(kid), set, nil
}

// refresh fetches the keys unless that was tried within apart; then it returns how that ended. One goroutine fetches; the others wait only
// where there are no keys yet, so that JWTs with made-up kids can't pile up behind a slow publisher.
func (r *keyring) refresh(ctx context.Context, apart time.Duration) error {
	if r.set.Load() == nil {
		r.fetching.Lock()
	} else if !r.fetching.TryLock() {
		return nil
	}
	defer r.fetching.Unlock()
	r.mu.Lock()
	recent, failure := !r.tried.IsZero() && r.now().Sub(r.tried) < apart, r.failure
	if !recent {
		r.tried = r.now()
	}
	r.mu.Unlock()
	if recent {
		return failure
	}
	// The fetch goes on when the request that asked for it ends: others wait for it too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	keys, err := r.load(ctx)
	r.mu.Lock()
	r.failure = err
	r.mu.Unlock()
	if err == nil {
		r.store(keys)
	}
	return err
}

func (r *keyring) load(ctx context.Context) ([]verifyKey, error) {
	if r.fetch == nil {
		return nil, types.Errorf(types.Unavailable, "this server fetches no keys")
	}
	body, err := r.fetch(ctx, r.issuer.JWKSURL)
	if err != nil {
		return nil, err
	}
	return parseJWKS(r.issuer.Algorithm, body)
}

// store keeps the pointer of a set with the same keys, on which cached verifications depend.
func (r *keyring) store(keys []verifyKey) {
	old := r.set.Load()
	if old != nil && sameKeys(old.keys, keys) {
		return
	}
	r.set.Store(&keySet{keys: keys, at: r.now()})
}

func sameKeys(a, b []verifyKey) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].kid != b[i].kid || fingerprint(a[i].key) != fingerprint(b[i].key) {
			return false
		}
	}
	return true
}

// status is when the last fetch began and how it ended.
func (r *keyring) status() (tried time.Time, failure error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tried, r.failure
}
