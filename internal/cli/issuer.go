package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"leat/internal/types"
)

// issuerKey is one key of POST /v1/issuers.
type issuerKey struct {
	KID    string `json:"kid,omitempty"`
	Secret string `json:"secret,omitempty"`
	PEM    string `json:"pem,omitempty"`
}

// limitsBody are limits in the bodies of POST /v1/issuers and /v1/tokens.
type limitsBody struct {
	Rate       float64 `json:"rate,omitempty"`
	Burst      int     `json:"burst,omitempty"`
	Concurrent int     `json:"concurrent,omitempty"`
	MaxRows    int     `json:"max_rows,omitempty"`
	MaxBytes   int64   `json:"max_bytes,omitempty"`
	Timeout    string  `json:"timeout,omitempty"`
}

// issuerBody is the body of POST /v1/issuers.
type issuerBody struct {
	Name      string                       `json:"name"`
	Algorithm string                       `json:"algorithm"`
	Issuer    string                       `json:"issuer"`
	Audience  string                       `json:"audience"`
	Keys      []issuerKey                  `json:"keys,omitempty"`
	JWKSURL   string                       `json:"jwks_url,omitempty"`
	Leeway    string                       `json:"leeway,omitempty"`
	MaxAge    string                       `json:"max_age,omitempty"`
	Scopes    []string                     `json:"scopes"`
	Params    map[string]string            `json:"params,omitempty"`
	Filters   map[string]map[string]string `json:"filters,omitempty"`
	Limits    limitsBody                   `json:"limits"`
}

// issuerFlags are the flags that don't go into the body as they are.
type issuerFlags struct {
	issuerBody
	secretFile, publicKey, kid string
	params, filters            []string
}

func newIssuer(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "issuer",
		Short: "Name, list and forget issuers of JWTs",
		Long: "Name, list and forget issuers of JWTs. An issuer is somebody, such as your own application or an identity provider, whose\n" +
			"JWTs the server accepts: for what, and which rows their holders see.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List issuers",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.document(cmd.Context(), request{method: http.MethodGet, path: "/v1/issuers"}, printIssuers)
		},
	}
	remove := &cobra.Command{
		Use:   "delete NAME",
		Short: "Forget an issuer; its JWTs are refused at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			resp, err := c.do(cmd.Context(), request{method: http.MethodDelete, path: "/v1/issuers/" + url.PathEscape(args[0])})
			if err != nil {
				return err
			}
			fmt.Fprintln(c.env.Stderr, "deleted", args[0])
			return resp.Body.Close()
		},
	}
	cmd.AddCommand(newIssuerCreate(c), list, remove)
	return cmd
}

func newIssuerCreate(c *client) *cobra.Command {
	var f issuerFlags
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Name an issuer whose JWTs are accepted",
		Example: `  leat issuer create app --issuer https://app.example --secret-file secret.txt \
    --scope read:orders_by_day --filter '*.tenant_id=tenant' --filter products
  leat issuer create sso --issuer https://id.example/ --audience leat --algorithm RS256 \
    --jwks-url https://id.example/.well-known/jwks.json --scope 'read:*' --rate 50`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Name = args[0]
			return c.createIssuer(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Algorithm, "algorithm", "HS256", "HS256, RS256, ES256 or EdDSA: what all of its keys are for")
	flags.StringVar(&f.Issuer, "issuer", "", "what the claim iss must be")
	flags.StringVar(&f.Audience, "audience", "leat", "what the claim aud must be or hold")
	flags.StringVar(&f.secretFile, "secret-file", "", "file with the secret of HS256, without its last line end; - is standard input")
	flags.StringVar(&f.publicKey, "public-key", "", "PEM file of the public key")
	flags.StringVar(&f.JWKSURL, "jwks-url", "", "where it publishes its keys")
	flags.StringVar(&f.kid, "kid", "", "kid that picks the key")
	flags.StringVar(&f.Leeway, "leeway", "", "how far clocks may be apart (60s)")
	flags.StringVar(&f.MaxAge, "max-age", "", "greatest age of a JWT by its iat")
	flags.StringSliceVar(&f.Scopes, "scope", nil, "what its JWTs may do at most: read:OBJECT, append:STREAM, raw; repeatable")
	flags.StringSliceVar(&f.params, "param", nil, "PARAMETER=CLAIM: the claim fixes that parameter of endpoints; repeatable")
	flags.StringSliceVar(&f.filters, "filter", nil, "RELATION.COLUMN=CLAIM: only rows with the claim's value are seen; RELATION alone is all of its rows, * every other relation; repeatable")
	limitFlags(flags, &f.Limits)
	return cmd
}

// limitFlags makes the flags of limits.
func limitFlags(flags *pflag.FlagSet, l *limitsBody) {
	flags.Float64Var(&l.Rate, "rate", 0, "requests a second")
	flags.IntVar(&l.Burst, "burst", 0, "requests that may come at once")
	flags.IntVar(&l.Concurrent, "concurrent", 0, "requests under way")
	flags.IntVar(&l.MaxRows, "max-rows", 0, "rows of one answer")
	flags.Int64Var(&l.MaxBytes, "max-bytes", 0, "bytes of one answer")
	flags.StringVar(&l.Timeout, "timeout", "", "time of one request")
}

func (c *client) createIssuer(ctx context.Context, f issuerFlags) error {
	body, err := f.body(c.env.Stdin)
	if err != nil {
		return err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	var answer struct{ Name string }
	err = c.getJSON(ctx, request{
		method: http.MethodPost, path: "/v1/issuers", body: strings.NewReader(string(text)),
		header: map[string]string{"Content-Type": "application/json"},
	}, &answer)
	if err == nil {
		fmt.Fprintln(c.env.Stderr, "created", answer.Name)
	}
	return err
}

// body reads the files that the flags name.
func (f issuerFlags) body(stdin io.Reader) (issuerBody, error) {
	b := f.issuerBody
	fault := func(format string, args ...any) (issuerBody, error) {
		return b, types.Errorf(types.InvalidArgument, format, args...).WithHint("see `leat issuer create --help`")
	}
	key := issuerKey{KID: f.kid}
	if f.secretFile != "" {
		secret, err := readFile(f.secretFile, stdin)
		if err != nil {
			return fault("--secret-file: %w", err)
		}
		key.Secret = strings.TrimRight(string(secret), "\r\n")
	}
	if f.publicKey != "" {
		text, err := readFile(f.publicKey, stdin)
		if err != nil {
			return fault("--public-key: %w", err)
		}
		key.PEM = string(text)
	}
	if key.Secret != "" || key.PEM != "" {
		b.Keys = []issuerKey{key}
	}
	for _, text := range f.params {
		name, claim, ok := strings.Cut(text, "=")
		if !ok {
			return fault("--param %q is not PARAMETER=CLAIM", text)
		}
		put(&b.Params, name, claim)
	}
	for _, text := range f.filters {
		target, claim, named := strings.Cut(text, "=")
		relation, column, dotted := strings.Cut(target, ".")
		if named != dotted || relation == "" {
			return fault("--filter %q is neither RELATION.COLUMN=CLAIM nor RELATION", text)
		}
		columns := b.Filters[relation]
		if columns == nil {
			columns = map[string]string{}
		}
		put(&b.Filters, relation, columns)
		if dotted {
			columns[column] = claim
		}
	}
	return b, nil
}

func put[V any](to *map[string]V, key string, v V) {
	if *to == nil {
		*to = map[string]V{}
	}
	(*to)[key] = v
}

func readFile(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name)
}

func printIssuers(raw json.RawMessage, w io.Writer) error {
	var answer struct {
		Issuers []struct {
			Name, Algorithm, Issuer, Audience string
			Scopes                            []string
			Keys                              []struct{}
			JWKSURL                           string `json:"jwks_url"`
			JWKSError                         string `json:"jwks_error"`
			CreatedAt                         string `json:"created_at"`
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return err
	}
	res := &result{}
	for _, name := range []string{"name", "algorithm", "issuer", "audience", "scopes", "keys", "created_at"} {
		res.names, res.kinds = append(res.names, name), append(res.kinds, "VARCHAR")
	}
	for _, i := range answer.Issuers {
		keys := fmt.Sprint(len(i.Keys))
		if i.JWKSURL != "" {
			keys += " of " + i.JWKSURL
		}
		if i.JWKSError != "" {
			keys += ": " + i.JWKSError
		}
		res.rows = append(res.rows, []string{i.Name, i.Algorithm, i.Issuer, i.Audience, strings.Join(i.Scopes, " "), keys, i.CreatedAt})
		res.nulls = append(res.nulls, make([]bool, len(res.names)))
	}
	res.print(w)
	return nil
}
