package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"hash/crc32"
	"io"
	"strings"

	"leat/internal/types"
)

// The shape of a token: leat_<id>_<secret><crc>, all in base62 (docs/formats/token.md).
const (
	tokenPrefix = "leat_"
	idLen       = 12
	secretLen   = 33 // 33 * log2(62) = 196 bits
	crcLen      = 6
	tokenLen    = len(tokenPrefix) + idLen + 1 + secretLen + crcLen
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Token is a credential in the clear. It is shown once, to whoever made it, and kept nowhere.
type Token struct {
	// ID names the token; it is no secret and is the user name of the PostgreSQL protocol.
	ID   string
	text string
}

// Generate makes a new token from the system's randomness.
func Generate() Token { return generate(rand.Reader) }

func generate(random io.Reader) Token {
	id := randomText(random, idLen)
	body := tokenPrefix + id + "_" + randomText(random, secretLen)
	return Token{ID: id, text: body + checksum(body)}
}

// Parse checks a token's form and checksum without looking it up, so that a typo is told from a revoked token.
// The error is types.Unauthenticated and never holds the text.
func Parse(text string) (Token, error) {
	fault := func(what string) (Token, error) {
		return Token{}, types.Errorf(types.Unauthenticated, "the token %s", what).
			WithHint("a token looks like leat_<id>_<secret> and has %d characters; send it as Authorization: Bearer <token>", tokenLen)
	}
	switch {
	case !strings.HasPrefix(text, tokenPrefix):
		return fault("does not start with " + tokenPrefix)
	case len(text) != tokenLen:
		return fault("has the wrong length")
	}
	rest := text[len(tokenPrefix):]
	body, sum := text[:tokenLen-crcLen], text[tokenLen-crcLen:]
	if rest[idLen] != '_' || strings.Trim(rest[:idLen]+rest[idLen+1:], base62) != "" || checksum(body) != sum {
		return fault("has a typo: its checksum does not match")
	}
	return Token{ID: rest[:idLen], text: text}, nil
}

// LooksLikeToken reports whether a text has the form of a token, checksum included.
func LooksLikeToken(text string) bool {
	if len(text) != tokenLen || !strings.HasPrefix(text, tokenPrefix) {
		return false // the usual case, for which Parse would make an error
	}
	_, err := Parse(text)
	return err == nil
}

// Reveal returns the whole token. Only what hands it to its owner may call it.
func (t Token) Reveal() string { return t.text }

// String hides the secret, so that a token that is logged by mistake leaks nothing.
func (t Token) String() string { return tokenPrefix + t.ID + "_..." }

// GoString hides the secret from %#v too.
func (t Token) GoString() string { return t.String() }

// Hash is what is stored: SHA-256 of the whole token. The secret has 196 bits, so it needs no slow hash.
func (t Token) Hash() [32]byte { return sha256.Sum256([]byte(t.text)) }

// matches compares in constant time.
func (t Token) matches(hash [32]byte) bool {
	own := t.Hash()
	return subtle.ConstantTimeCompare(own[:], hash[:]) == 1
}

// randomText draws n characters, each of the 62 equally likely.
func randomText(random io.Reader, n int) string {
	const limit = 256 - 256%len(base62) // bytes from here on would favour the first characters
	out := make([]byte, 0, n)
	var one [1]byte
	for len(out) < n {
		if _, err := io.ReadFull(random, one[:]); err != nil {
			panic("BUG: the system's randomness failed: " + err.Error())
		}
		if int(one[0]) < limit {
			out = append(out, base62[int(one[0])%len(base62)])
		}
	}
	return string(out)
}

// checksum is CRC-32 (IEEE) in base62, padded with zeros to 6 digits.
func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	var out [crcLen]byte
	for i := crcLen - 1; i >= 0; i-- {
		out[i] = base62[sum%62]
		sum /= 62
	}
	return string(out[:])
}
