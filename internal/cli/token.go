package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"leat/internal/types"
)

func newToken(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke tokens",
		Long: "Make, list and revoke tokens. Without tokens a server listens on loopback only and asks for none;\n" +
			"once there is one, every request needs a token.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var name string
	var scopes []string
	var limits limitsBody
	create := &cobra.Command{
		Use:   "create",
		Short: "Make a token and print it, once",
		Example: `  leat token create --name me --scope admin
  leat token create --name collector --scope append:orders --scope append:clicks`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.createToken(cmd.Context(), name, scopes, limits) },
	}
	create.Flags().StringVar(&name, "name", "", "what the token is for")
	create.Flags().StringSliceVar(&scopes, "scope", nil, "admin, create, append:STREAM, read:OBJECT, raw; repeatable, * is every object")
	limitFlags(create.Flags(), &limits)
	list := &cobra.Command{
		Use:   "list",
		Short: "List tokens",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.listTokens(cmd.Context()) },
	}
	revoke := &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke a token",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			resp, err := c.do(cmd.Context(), request{method: http.MethodDelete, path: "/v1/tokens/" + url.PathEscape(args[0])})
			if err != nil {
				return err
			}
			fmt.Fprintln(c.env.Stderr, "revoked", args[0])
			return resp.Body.Close()
		},
	}
	cmd.AddCommand(create, list, revoke)
	return cmd
}

func (c *client) createToken(ctx context.Context, name string, scopes []string, limits limitsBody) error {
	if len(scopes) == 0 {
		return types.Errorf(types.InvalidArgument, "a token needs at least one --scope").WithHint("for everything: --scope admin")
	}
	body, err := json.Marshal(map[string]any{"name": name, "scopes": scopes, "limits": limits})
	if err != nil {
		return err
	}
	var answer struct{ Token string }
	err = c.getJSON(ctx, request{
		method: http.MethodPost, path: "/v1/tokens", body: strings.NewReader(string(body)),
		header: map[string]string{"Content-Type": "application/json"},
	}, &answer)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.env.Stdout, answer.Token)
	fmt.Fprintln(c.env.Stderr, "This is the only time that the token is shown. Clients take it as LEAT_TOKEN or --token.")
	return nil
}

func (c *client) listTokens(ctx context.Context) error {
	return c.document(ctx, request{method: http.MethodGet, path: "/v1/tokens"}, printTokens)
}

func printTokens(raw json.RawMessage, w io.Writer) error {
	var answer struct {
		Tokens []struct {
			ID, Name  string
			Scopes    []string
			CreatedAt string `json:"created_at"`
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return err
	}
	res := &result{names: []string{"id", "name", "scopes", "created_at"}, kinds: []string{"VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"}}
	for _, t := range answer.Tokens {
		res.rows = append(res.rows, []string{t.ID, t.Name, strings.Join(t.Scopes, " "), t.CreatedAt})
		res.nulls = append(res.nulls, make([]bool, 4))
	}
	res.print(w)
	return nil
}
