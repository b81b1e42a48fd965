package auth

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"leat/internal/catalog"
	"leat/internal/types"
)

// Bounds of issuers.
const (
	maxIssuers      = 100
	maxIssuerText   = 1024 // bytes of iss, aud, URLs and names of claims
	maxRules        = 1000 // parameters, and columns of filters, of one issuer or token
	defaultLeeway   = time.Minute
	maxLeeway       = 10 * time.Minute
	maxMaxAge       = 365 * 24 * time.Hour
	issuerScopeHint = "the scopes of JWTs are read:OBJECT, append:STREAM and raw; admin and create take a token"
)

// IssuerSpec is an issuer of JWTs as an admin writes it.
type IssuerSpec struct {
	Name string `json:"name"`
	// Algorithm is HS256, RS256, ES256 or EdDSA.
	Algorithm string `json:"algorithm"`
	// Issuer is what iss must be, Audience what aud must be or hold.
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	// Keys or JWKSURL: where the keys come from.
	Keys    []KeySpec `json:"keys"`
	JWKSURL string    `json:"jwks_url"`
	// Leeway and MaxAge are durations such as 60s.
	Leeway string   `json:"leeway"`
	MaxAge string   `json:"max_age"`
	Scopes []string `json:"scopes"`
	// Params: parameter of endpoints -> claim. Filters: relation or * -> column -> claim; nil restricts no rows.
	Params  map[string]string            `json:"params"`
	Filters map[string]map[string]string `json:"filters"`
	Limits  LimitsSpec                   `json:"limits"`
}

// KeySpec is one key: a secret as text or base64 for HS256, else a public key in PEM.
type KeySpec struct {
	KID          string `json:"kid"`
	Secret       string `json:"secret"`
	SecretBase64 string `json:"secret_base64"`
	PEM          string `json:"pem"`
}

// IssuerInfo is what may be shown of an issuer: no secret.
type IssuerInfo struct {
	Name      string                       `json:"name"`
	Algorithm string                       `json:"algorithm"`
	Issuer    string                       `json:"issuer"`
	Audience  string                       `json:"audience"`
	Keys      []KeyInfo                    `json:"keys"`
	JWKSURL   string                       `json:"jwks_url,omitempty"`
	JWKSError string                       `json:"jwks_error,omitempty"`
	FetchedAt *time.Time                   `json:"jwks_fetched_at,omitempty"`
	Leeway    string                       `json:"leeway"`
	MaxAge    string                       `json:"max_age,omitempty"`
	Scopes    []string                     `json:"scopes"`
	Params    map[string]string            `json:"params,omitempty"`
	Filters   map[string]map[string]string `json:"filters,omitzero"`
	Limits    *LimitsSpec                  `json:"limits,omitempty"`
	CreatedAt time.Time                    `json:"created_at"`
}

// KeyInfo tells keys apart. Fingerprint is the SHA-256 of a public key; of a secret nothing is shown.
type KeyInfo struct {
	KID         string `json:"kid,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

// CreateIssuer checks and stores an issuer; published keys are fetched at once, so that a wrong URL is told now. An issuer of the same name is
// types.AlreadyExists. Before there is an admin token it is types.Conflict: nobody could take the issuer back.
func (s *Service) CreateIssuer(ctx context.Context, spec IssuerSpec) (IssuerInfo, error) {
	i, err := spec.stored()
	if err != nil {
		return IssuerInfo{}, err
	}
	i.CreatedAt = s.now().UTC().Truncate(time.Microsecond)
	ring, err := newKeyring(i, s.fetch, s.now)
	if err != nil {
		return IssuerInfo{}, err
	}
	if i.JWKSURL != "" {
		if err := ring.refresh(ctx, 0); err != nil {
			return IssuerInfo{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	existing := s.store.Issuers()
	switch {
	case !s.store.HasTokens():
		return IssuerInfo{}, types.Errorf(types.Conflict, "make an admin token first: a server without tokens asks nobody for a JWT").WithHint("leat token create --scope admin")
	case len(existing) >= maxIssuers:
		return IssuerInfo{}, types.Errorf(types.LimitExceeded, "there are %d issuers; that is the limit", len(existing))
	}
	for _, o := range existing {
		if o.Name == i.Name || o.Issuer == i.Issuer {
			return IssuerInfo{}, types.Errorf(types.AlreadyExists, "issuer %s has this name or this iss", o.Name).WithHint("delete it first: leat issuer delete %s", o.Name)
		}
	}
	if err := s.store.PutIssuer(ctx, *i); err != nil {
		return IssuerInfo{}, err
	}
	return issuerInfo(i, ring), nil
}

// Issuers lists all issuers by name.
func (s *Service) Issuers() []IssuerInfo {
	rings := s.rings()
	out := make([]IssuerInfo, 0, len(rings.list))
	for _, i := range rings.list {
		out = append(out, issuerInfo(i, rings.byIssuer[i.Issuer]))
	}
	return out
}

// DeleteIssuer forgets an issuer; its JWTs are refused from then on.
func (s *Service) DeleteIssuer(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.store.Issuers(), func(i *catalog.Issuer) bool { return i.Name == name }) {
		return types.Errorf(types.NotFound, "there is no issuer %.80q", name)
	}
	return s.store.DeleteIssuer(ctx, name)
}

func issuerInfo(i *catalog.Issuer, ring *keyring) IssuerInfo {
	info := IssuerInfo{
		Name: i.Name, Algorithm: i.Algorithm, Issuer: i.Issuer, Audience: i.Audience, JWKSURL: i.JWKSURL, Keys: []KeyInfo{}, Leeway: i.Leeway.String(),
		Scopes: slices.Clone(i.Scopes), Params: i.Params, Filters: i.Filters, Limits: Limits(i.Limits).spec(), CreatedAt: i.CreatedAt,
	}
	if i.MaxAge > 0 {
		info.MaxAge = i.MaxAge.String()
	}
	if ring == nil {
		return info
	}
	if set := ring.set.Load(); set != nil {
		for _, k := range set.keys {
			info.Keys = append(info.Keys, KeyInfo{k.kid, fingerprint(k.key)})
		}
		if !set.at.IsZero() {
			info.FetchedAt = &set.at
		}
	}
	if _, failure := ring.status(); failure != nil {
		info.JWKSError = failure.Error()
	}
	return info
}

// stored checks a spec, reports all of its faults at once and returns what is kept.
func (spec IssuerSpec) stored() (*catalog.Issuer, error) {
	f := &faults{}
	i := &catalog.Issuer{Name: spec.Name, Algorithm: spec.Algorithm, Issuer: spec.Issuer, Audience: spec.Audience, JWKSURL: spec.JWKSURL, Params: spec.Params, Filters: spec.Filters}
	f.add("name", types.CheckObjectName(spec.Name))
	f.when(methods[spec.Algorithm] == nil, "algorithm", "%.20q is none of HS256, RS256, ES256, EdDSA", spec.Algorithm)
	for name, text := range map[string]string{"issuer": spec.Issuer, "audience": spec.Audience} {
		f.when(text == "" || len(text) > maxIssuerText || !utf8.ValidString(text), name, "is required, with at most %d bytes", maxIssuerText)
	}
	i.Leeway = f.duration("leeway", cmp.Or(spec.Leeway, defaultLeeway.String()), 0, maxLeeway)
	i.MaxAge = f.duration("max_age", cmp.Or(spec.MaxAge, "0s"), 0, maxMaxAge)
	i.Scopes = f.scopes(spec.Scopes)
	spec.checkRules(f)
	l, err := spec.Limits.limits()
	f.add("limits", err)
	i.Limits = l.stored()
	if methods[spec.Algorithm] != nil {
		i.Keys = spec.keys(f)
	}
	return i, f.err("the issuer can't be used")
}

// keys checks where keys come from and turns given ones into stored ones.
func (spec IssuerSpec) keys(f *faults) []catalog.IssuerKey {
	if spec.JWKSURL != "" {
		u, err := url.Parse(spec.JWKSURL)
		f.when(err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || len(spec.JWKSURL) > maxIssuerText, "jwks_url", "is not an https URL")
		f.when(spec.Algorithm == hs256, "jwks_url", "a published key is no secret: HS256 needs keys")
		f.when(len(spec.Keys) > 0, "keys", "give keys or jwks_url, not both")
		return nil
	}
	f.when(len(spec.Keys) == 0 || len(spec.Keys) > maxFixedKeys, "keys", "1 to %d keys are needed, or jwks_url", maxFixedKeys)
	if len(spec.Keys) > maxFixedKeys {
		return nil
	}
	var out []catalog.IssuerKey
	for _, k := range spec.Keys {
		stored, err := k.stored(spec.Algorithm)
		f.add("keys", err)
		f.when(k.KID != "" && slices.ContainsFunc(out, func(o catalog.IssuerKey) bool { return o.KID == k.KID }), "keys", "two keys have one kid")
		out = append(out, stored)
	}
	return out
}

func (k KeySpec) stored(algorithm string) (catalog.IssuerKey, error) {
	out := catalog.IssuerKey{KID: k.KID}
	if len(k.KID) > maxKIDBytes || !utf8.ValidString(k.KID) {
		return out, types.Errorf(types.InvalidArgument, "a kid has at most %d bytes", maxKIDBytes)
	}
	if algorithm != hs256 {
		if k.Secret != "" || k.SecretBase64 != "" {
			return out, types.Errorf(types.InvalidArgument, "%s takes a public key as pem, and no secret", algorithm)
		}
		out.PEM = k.PEM
		_, err := parsePEM(algorithm, k.PEM)
		return out, err
	}
	if k.PEM != "" || (k.Secret == "") == (k.SecretBase64 == "") {
		return out, types.Errorf(types.InvalidArgument, "a key of HS256 has one of secret and secret_base64, and no pem")
	}
	out.Secret = []byte(k.Secret)
	if k.SecretBase64 != "" {
		b, err := base64.StdEncoding.DecodeString(k.SecretBase64)
		if err != nil {
			return out, types.Errorf(types.InvalidArgument, "secret_base64 is not base64") // the cause could show a part of the secret
		}
		out.Secret = b
	}
	return out, checkSecret(out.Secret)
}

// checkRules checks parameters and filters: names, claims and how many.
func (spec IssuerSpec) checkRules(f *faults) {
	claim := func(path, name string) {
		f.when(name == "" || len(name) > maxIssuerText || !utf8.ValidString(name), path, "names no claim")
	}
	rules := len(spec.Params)
	for p, c := range spec.Params {
		f.add("params", checkParam(p))
		claim("params."+p, c)
	}
	for relation, columns := range spec.Filters {
		f.add("filters", checkRelation(relation))
		rules += len(columns)
		for column, c := range columns {
			f.add("filters."+relation, types.CheckColumnName(column))
			claim("filters."+relation+"."+column, c)
		}
	}
	f.when(rules > maxRules || len(spec.Filters) > maxRules, "filters", "params and filters have more than %d entries", maxRules)
}

func checkParam(name string) error {
	if types.CheckObjectName(name) != nil {
		return types.Errorf(types.InvalidArgument, "%.80q is not a parameter's name", name)
	}
	return nil
}

func checkRelation(name string) error {
	if name != "*" && types.CheckObjectName(name) != nil {
		return types.Errorf(types.InvalidArgument, "%.80q is neither a relation's name nor *", name)
	}
	return nil
}

// faults gathers what is wrong with a definition.
type faults struct{ list []*types.Error }

func (f *faults) add(path string, err error) {
	if err != nil {
		e := *types.AsError(err)
		if e.Path == "" {
			e.Path = path
		}
		f.list = append(f.list, &e)
	}
}

func (f *faults) when(bad bool, path, format string, args ...any) {
	if bad {
		f.add(path, types.Errorf(types.InvalidArgument, format, args...))
	}
}

func (f *faults) duration(path, text string, least, most time.Duration) time.Duration {
	d, err := time.ParseDuration(text)
	f.when(err != nil || d < least || d > most, path, "%.40q is not a duration of at most %s, such as 60s", text, most)
	return d
}

// scopes parses the scopes of JWTs.
func (f *faults) scopes(texts []string) []string {
	parsed, err := ParseScopes(texts)
	f.add("scopes", err)
	var out []string
	for _, s := range parsed {
		if s.Action == Admin || s.Action == Create {
			f.add("scopes", types.Errorf(types.InvalidArgument, "an issuer's JWTs can't have the scope %s", s).WithHint(issuerScopeHint))
		}
		out = append(out, s.String())
	}
	return out
}

// err is the one fault, or one error that lists all.
func (f *faults) err(what string) error {
	slices.SortStableFunc(f.list, func(a, b *types.Error) int { return cmp.Compare(a.Path, b.Path) })
	switch len(f.list) {
	case 0:
		return nil
	case 1:
		return f.list[0]
	}
	e := types.Errorf(types.InvalidArgument, "%s: %d faults", what, len(f.list))
	e.Errors = f.list[:min(len(f.list), 20)]
	return e
}

// literals checks fixed values of a token: JSON strings, numbers and Booleans.
func (f *faults) literals(path string, values map[string]any) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		f.when(!scalar(v), path+"."+name, "is not a string, number or Boolean")
		out[name] = json.RawMessage(jsonText(v))
	}
	return out
}

// scalar reports whether a value of JSON may be compared to a column.
func scalar(v any) bool {
	switch v := v.(type) {
	case string:
		// Bytes that are no UTF-8 have become U+FFFD: two texts that differ could be one now.
		return len(v) <= maxClaimBytes && !strings.ContainsRune(v, utf8.RuneError)
	case json.Number:
		return len(v) <= 40
	case bool:
		return true
	}
	return false
}
