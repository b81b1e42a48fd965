package catalog

import (
	"encoding/json"
	"time"
)

// Token is a credential as stored: never the secret itself.
type Token struct {
	// ID is the user's name: the <id> of leat_<id>_<secret><crc>.
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Hash      [32]byte  `json:"hash"`  // SHA-256 of the whole token
	SCRAM     string    `json:"scram"` // SCRAM-SHA-256 verifier as PostgreSQL writes it
	Scopes    []string  `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
	// Params are fixed parameters of endpoints by name, each a JSON string, number or Boolean.
	Params map[string]json.RawMessage `json:"params,omitempty"`
	// Filters are the rows that the token sees, by relation ("*" is every other one) and column; nil is all rows of all relations.
	Filters map[string]map[string]json.RawMessage `json:"filters,omitzero"`
	Limits  Limits                                `json:"limits,omitzero"`
}

// Issuer is somebody outside who signs JWTs, how to tell that he did, and what they may do at most. HS256 needs the secret itself, so the
// folder of the catalog holds it in the clear.
type Issuer struct {
	Name string `json:"name"`
	// Algorithm is the one that all keys are for: HS256, RS256, ES256 or EdDSA.
	Algorithm string `json:"algorithm"`
	// Issuer and Audience are what iss must be and aud must hold.
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	// Keys are fixed ones; JWKSURL is where others are published. One of both is set.
	Keys    []IssuerKey `json:"keys,omitempty"`
	JWKSURL string      `json:"jwks_url,omitempty"`
	// Leeway is how far clocks may be apart, MaxAge how old a JWT may be by its iat; 0 is any age.
	Leeway time.Duration `json:"leeway"`
	MaxAge time.Duration `json:"max_age,omitempty"`
	Scopes []string      `json:"scopes"`
	// Params name the claim that fixes each parameter of endpoints, Filters the claim that a column must equal, by relation ("*" is every
	// other one) and column; nil Filters are no restriction.
	Params    map[string]string            `json:"params,omitempty"`
	Filters   map[string]map[string]string `json:"filters,omitzero"`
	Limits    Limits                       `json:"limits,omitzero"`
	CreatedAt time.Time                    `json:"created_at"`
}

// IssuerKey is one key: Secret for HS256, else PEM of a public key. KID, where set, is the kid that picks it.
type IssuerKey struct {
	KID    string `json:"kid,omitempty"`
	Secret []byte `json:"secret,omitempty"`
	PEM    string `json:"pem,omitempty"`
}
