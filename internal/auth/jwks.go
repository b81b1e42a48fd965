package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"

	"leat/internal/types"
)

// jwk is one key of a JSON Web Key Set (RFC 7517). Symmetric keys have no fields here: they are never read.
type jwk struct {
	KTY    string   `json:"kty"`
	KID    string   `json:"kid"`
	Use    string   `json:"use"`
	Alg    string   `json:"alg"`
	KeyOps []string `json:"key_ops"`
	N      string   `json:"n"`
	E      string   `json:"e"`
	Crv    string   `json:"crv"`
	X      string   `json:"x"`
	Y      string   `json:"y"`
}

// parseJWKS reads the keys of a set that are for the algorithm, at most maxPublishedKeys; others are passed over. A set with none is an error.
func parseJWKS(algorithm string, body []byte) ([]verifyKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, types.Errorf(types.Unavailable, "the answer is no JSON Web Key Set: %w", err)
	}
	var out []verifyKey
	for _, raw := range set.Keys {
		var k jwk
		if json.Unmarshal(raw, &k) != nil || len(k.KID) > maxKIDBytes || !k.verifies(algorithm) {
			continue
		}
		key := k.public()
		if key == nil || checkKey(algorithm, key) != nil {
			continue
		}
		if out = append(out, verifyKey{k.KID, key}); len(out) == maxPublishedKeys {
			break
		}
	}
	if len(out) == 0 {
		return nil, types.Errorf(types.Unavailable, "the key set has no key for %s among its %d", algorithm, len(set.Keys))
	}
	return out, nil
}

// verifies reports whether the key says that it may be used for the algorithm.
func (k jwk) verifies(algorithm string) bool {
	return (k.Use == "" || k.Use == "sig") && (k.Alg == "" || k.Alg == algorithm) && (k.KeyOps == nil || slices.Contains(k.KeyOps, "verify"))
}

// public is the key, nil if it can't be one.
func (k jwk) public() any {
	field := func(text string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(b) == 0 || len(b) > maxRSABits/8 {
			return nil
		}
		return b
	}
	x, y := field(k.X), field(k.Y)
	switch {
	case k.KTY == "RSA":
		n, e := field(k.N), new(big.Int).SetBytes(field(k.E))
		if n == nil || e.BitLen() > 31 || e.Sign() == 0 {
			return nil
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(e.Int64())}
	case k.KTY == "EC" && k.Crv == "P-256" && len(x) == 32 && len(y) == 32:
		// ParseUncompressedPublicKey refuses points that are not on the curve.
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
		if err != nil {
			return nil
		}
		return key
	case k.KTY == "OKP" && k.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize:
		return ed25519.PublicKey(x)
	}
	return nil
}
