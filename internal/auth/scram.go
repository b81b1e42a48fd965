package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
)

// SCRAM parameters are PostgreSQL's defaults (RFC 7677 asks for at least 4096 iterations).
const (
	scramIterations = 4096
	scramSaltLen    = 16
)

// verifier derives the SCRAM-SHA-256 verifier of a password with a fresh salt, as PostgreSQL stores it in pg_authid:
// SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>. Tokens are ASCII, which SASLprep leaves as it is.
func verifier(password string, random io.Reader) (string, error) {
	salt := make([]byte, scramSaltLen)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", fmt.Errorf("read randomness for a salt: %w", err)
	}
	return verifierWith(password, salt, scramIterations)
}

func verifierWith(password string, salt []byte, iterations int) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive a SCRAM key: %w", err)
	}
	sign := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(sign("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(sign("Server Key"))), nil
}
