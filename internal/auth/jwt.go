package auth

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"leat/internal/catalog"
)

// maxJWTBytes bounds a JWT as sent.
const maxJWTBytes = 8 << 10

// LooksLikeJWT reports whether a text has the form of a signed JWT: three parts, of which the first begins a JSON object in base64.
func LooksLikeJWT(text string) bool {
	return strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2
}

// ringSet are the keyrings of the issuers at one time. It is immutable.
type ringSet struct {
	list     []*catalog.Issuer
	byIssuer map[string]*keyring // by iss
}

// rings returns the keyrings of the present issuers. An issuer that did not change keeps its keyring, and so its keys.
func (s *Service) rings() *ringSet {
	list := s.store.Issuers()
	if set := s.ringSet.Load(); set != nil && slices.Equal(set.list, list) {
		return set
	}
	s.ringsMu.Lock()
	defer s.ringsMu.Unlock()
	old := s.ringSet.Load()
	if old != nil && slices.Equal(old.list, list) {
		return old
	}
	next := &ringSet{list: slices.Clone(list), byIssuer: make(map[string]*keyring, len(list))}
	for _, i := range list {
		if old != nil {
			if ring := old.byIssuer[i.Issuer]; ring != nil && ring.issuer == i {
				next.byIssuer[i.Issuer] = ring
				continue
			}
		}
		ring, err := newKeyring(i, s.fetch, s.now)
		if err != nil {
			ring = &keyring{issuer: i, now: s.now} // damaged: it has no keys, so nothing is signed by them
			ring.set.Store(&keySet{})
		}
		next.byIssuer[i.Issuer] = ring
	}
	s.ringSet.Store(next)
	return next
}

// jwtKey is what a cached principal of a JWT rests on.
type jwtKey struct {
	issuer *catalog.Issuer
	set    *keySet
}

// authenticateJWT verifies a JWT or finds it verified. Its errors never hold a part of the text.
func (s *Service) authenticateJWT(text string) (Principal, error) {
	if len(text) > maxJWTBytes {
		return Principal{}, refused("has %d bytes; the limit is %d", len(text), maxJWTBytes)
	}
	now := s.now()
	hash := sha256.Sum256([]byte(text))
	if e, ok := s.cache.Get(hash); ok && now.Before(e.principal.Expires) {
		if ring := s.rings().byIssuer[e.jwt.issuer.Issuer]; ring != nil && ring.issuer == e.jwt.issuer && ring.set.Load() == e.jwt.set {
			return e.principal, nil
		}
	}
	p, key, err := s.verifyJWT(text, now)
	if err != nil {
		return Principal{}, err
	}
	s.cache.Add(hash, cached{principal: p, jwt: key})
	return p, nil
}

// verifyJWT checks form, header, signature and claims, in this order: nothing of the payload but iss is looked at before the signature fits.
func (s *Service) verifyJWT(text string, now time.Time) (Principal, jwtKey, error) {
	token, parts, err := jwt.NewParser(jwt.WithJSONNumber(), jwt.WithStrictDecoding()).ParseUnverified(text, jwt.MapClaims{})
	if err != nil || len(parts) != 3 {
		return Principal{}, jwtKey{}, refused("can't be read").WithHint("send the three parts that its issuer made, unchanged")
	}
	c := claims(token.Claims.(jwt.MapClaims))
	iss, _ := c["iss"].(string)
	ring := s.rings().byIssuer[iss]
	if ring == nil || iss == "" {
		return Principal{}, jwtKey{}, refused("has an issuer (iss) that this server does not know").WithHint("an admin names issuers with POST /v1/issuers")
	}
	if err := checkHeader(token.Header, ring.issuer.Algorithm); err != nil {
		return Principal{}, jwtKey{}, err
	}
	kid, _ := token.Header["kid"].(string)
	keys, set, err := ring.find(context.Background(), kid)
	if err != nil {
		return Principal{}, jwtKey{}, err
	}
	if len(keys) == 0 {
		return Principal{}, jwtKey{}, refused("names a key (kid) that its issuer does not have")
	}
	s.verified.Add(1)
	// The method is the issuer's, not the header's, which anybody can write.
	if method, signed := methods[ring.issuer.Algorithm], parts[0]+"."+parts[1]; !verifies(method, signed, token.Signature, keys) {
		return Principal{}, jwtKey{}, refused("has a signature that does not fit")
	}
	if !c.wellFormed() {
		return Principal{}, jwtKey{}, refused("is not valid UTF-8")
	}
	if !c.audience(ring.issuer.Audience) {
		return Principal{}, jwtKey{}, refused("is not for this server: its aud is another")
	}
	end, err := c.checkTimes(ring.issuer, now)
	if err != nil {
		return Principal{}, jwtKey{}, err
	}
	p, err := c.principal(ring.issuer)
	p.Expires = end
	return p, jwtKey{ring.issuer, set}, err
}

// maxTried is how many keys one signature is checked against where a JWT names none.
const maxTried = maxFixedKeys

func verifies(method jwt.SigningMethod, signed string, signature []byte, keys []verifyKey) bool {
	return slices.ContainsFunc(keys[:min(len(keys), maxTried)], func(k verifyKey) bool { return method.Verify(signed, signature, k.key) == nil })
}

// checkHeader refuses another algorithm than the keys are for, none included, extensions that must be understood (RFC 7515, crit), and what is
// a JWT of another purpose by its typ.
func checkHeader(h map[string]any, algorithm string) error {
	if alg, _ := h["alg"].(string); alg != algorithm {
		return refused("is signed with another algorithm than its issuer's keys are for, %s", algorithm)
	}
	if _, critical := h["crit"]; critical {
		return refused("has a header crit, and no extension is known here")
	}
	if _, b64 := h["b64"]; b64 {
		return refused("has a header b64, and no extension is known here")
	}
	if v, given := h["kid"]; given {
		if kid, ok := v.(string); !ok || len(kid) > maxKIDBytes {
			return refused("has a kid that is no text of at most %d bytes", maxKIDBytes)
		}
	}
	if v, given := h["typ"]; given {
		typ, _ := v.(string)
		switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
		case "jwt", "at+jwt":
		default:
			return refused("is of another type (typ) than JWT or at+jwt")
		}
	}
	return nil
}

// wellFormed refuses names of claims that are not UTF-8 any more: two that differ could have become one.
func (c claims) wellFormed() bool {
	for name := range maps.Keys(c) {
		if !utf8.ValidString(name) || strings.ContainsRune(name, utf8.RuneError) {
			return false
		}
	}
	return true
}
