package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// Secret is a secret for HS256, good enough for tests.
const Secret = "correct-horse-battery-staple-0123456789"

// rsaKeys makes one key for all tests of a process: each costs a tenth of a second.
var rsaKeys = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// Key makes a private key for an algorithm, or the secret of HS256, and the PEM of its public key.
func Key(t testing.TB, algorithm string) (key any, public string) {
	t.Helper()
	var private crypto.Signer
	var err error
	switch algorithm {
	case "HS256":
		return []byte(Secret), ""
	case "RS256":
		private, err = rsaKeys()
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return private, PEM(t, private.Public())
}

// PEM prints a public key.
func PEM(t testing.TB, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// Sign makes a JWT. Header adds to, or replaces, alg and typ; claims are as Part takes them.
func Sign(t testing.TB, algorithm string, key any, header map[string]any, claims any) string {
	t.Helper()
	method := jwt.GetSigningMethod(algorithm)
	full := map[string]any{"alg": algorithm, "typ": "JWT"}
	for k, v := range header {
		full[k] = v
	}
	signed := Part(t, full) + "." + Part(t, claims)
	signature, err := method.Sign(signed, key)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Part is one part of a JWT: v as JSON in base64; a string is taken as JSON already.
func Part(t testing.TB, v any) string {
	t.Helper()
	text, ok := v.(string)
	if !ok {
		text = JSON(t, v)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// JSON prints a value.
func JSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// JWK prints a public key of RSA, P-256 or Ed25519 as one of a JSON Web Key Set.
func JWK(kid string, public any) map[string]any {
	text := base64.RawURLEncoding.EncodeToString
	switch k := public.(type) {
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "kid": kid, "use": "sig", "n": text(k.N.Bytes()), "e": "AQAB"}
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			return nil
		}
		return map[string]any{"kty": "EC", "kid": kid, "crv": "P-256", "x": text(point[1:33]), "y": text(point[33:])}
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": text(k)}
	}
	return nil
}
