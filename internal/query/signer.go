package query

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// signature is how many bytes of the HMAC a token has.
const signature = 16

// Signer makes tokens that callers hand back, and knows its own again. Any goroutine may use it.
type Signer struct{ key []byte }

// NewSigner makes a signer with a secret key of 32 bytes or more.
func NewSigner(key []byte) Signer { return Signer{key} }

// Sign makes a token of a payload, which callers can read. It is good only for what it is bound to: a request of the same meaning.
func (s Signer) Sign(bound string, payload []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(s.sum(bound, payload), payload...))
}

// Open returns the payload of a token that Sign made for the same bound; ok is false for any other text.
func (s Signer) Open(bound, token string) (payload []byte, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < signature {
		return nil, false
	}
	payload = b[signature:]
	return payload, hmac.Equal(b[:signature], s.sum(bound, payload))
}

// Derive is a key of 32 bytes for another purpose.
func (s Signer) Derive(purpose string) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(purpose))
	return h.Sum(nil)
}

func (s Signer) sum(bound string, payload []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	of := sha256.Sum256([]byte(bound))
	h.Write(of[:])
	h.Write(payload)
	return h.Sum(make([]byte, 0, sha256.Size))[:signature]
}
