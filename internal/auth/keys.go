package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"leat/internal/types"
)

// Bounds of keys. An RSA key below 2048 bits is too weak; one above 8192 makes each verification cost too much.
const (
	minSecretBytes = 32
	maxSecretBytes = 1024
	minRSABits     = 2048
	maxRSABits     = 8192
	maxKIDBytes    = 200
	// maxFixedKeys is how many keys an issuer may be given, maxPublishedKeys how many of a JWKS are read; further ones are left out.
	maxFixedKeys     = 10
	maxPublishedKeys = 64
)

// The algorithms. An issuer has one, which all of its keys are for, whatever a JWT's header says.
const (
	hs256 = "HS256"
	rs256 = "RS256"
	es256 = "ES256"
	eddsa = "EdDSA"
)

// methods verify signatures.
var methods = map[string]jwt.SigningMethod{
	hs256: jwt.SigningMethodHS256, rs256: jwt.SigningMethodRS256, es256: jwt.SigningMethodES256, eddsa: jwt.SigningMethodEdDSA,
}

// verifyKey is one key that signatures are checked against.
type verifyKey struct {
	// kid picks the key; "" fits a JWT without a kid, and, of fixed keys, any.
	kid string
	// key is []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey, by the algorithm.
	key any
}

// checkSecret refuses secrets that can be guessed, and public keys given as secrets.
func checkSecret(secret []byte) error {
	distinct := map[byte]bool{}
	for _, b := range secret {
		distinct[b] = true
	}
	switch {
	case len(secret) < minSecretBytes || len(secret) > maxSecretBytes:
		return types.Errorf(types.InvalidArgument, "the secret has %d bytes; it needs %d to %d", len(secret), minSecretBytes, maxSecretBytes).
			WithHint("make one with `openssl rand -base64 48`")
	case len(distinct) < 8:
		return types.Errorf(types.InvalidArgument, "the secret has only %d different bytes", len(distinct)).WithHint("make one with `openssl rand -base64 48`")
	case strings.Contains(string(secret), "-----BEGIN"):
		return types.Errorf(types.InvalidArgument, "the secret is a PEM key, which is no secret for HS256").WithHint("give a public key as pem with algorithm RS256, ES256 or EdDSA")
	}
	return nil
}

// parsePEM reads one public key for an algorithm. A private key is refused, so that none is sent about.
func parsePEM(algorithm, text string) (any, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, types.Errorf(types.InvalidArgument, "the key is not one PEM block").WithHint("it starts with -----BEGIN PUBLIC KEY-----")
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = cert.PublicKey
		}
	default:
		return nil, types.Errorf(types.InvalidArgument, "a PEM block of type %.40q is not a public key", block.Type).
			WithHint("give the public key only: `openssl pkey -in key.pem -pubout`")
	}
	if err != nil {
		return nil, types.Errorf(types.InvalidArgument, "the key can't be read: %w", err)
	}
	return key, checkKey(algorithm, key)
}

// checkKey refuses a key of another algorithm or a weak one.
func checkKey(algorithm string, key any) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); algorithm == rs256 && (bits < minRSABits || bits > maxRSABits) {
			return types.Errorf(types.InvalidArgument, "the RSA key has %d bits; it needs %d to %d", bits, minRSABits, maxRSABits)
		}
		if algorithm == rs256 && (k.E < 3 || k.E%2 == 0) {
			return types.Errorf(types.InvalidArgument, "the RSA key has a bad exponent")
		}
		if algorithm == rs256 {
			return nil
		}
	case *ecdsa.PublicKey:
		if algorithm == es256 && k.Curve == elliptic.P256() {
			return nil
		}
	case ed25519.PublicKey:
		if algorithm == eddsa && len(k) == ed25519.PublicKeySize {
			return nil
		}
	}
	return types.Errorf(types.InvalidArgument, "the key is no %s key (%T)", algorithm, key)
}

// fingerprint is the SHA-256 of a public key, for people to compare; "" for a secret, of which nothing is shown.
func fingerprint(key any) string {
	if _, secret := key.([]byte); secret {
		return ""
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}
