package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"leat/internal/types"
)

func newDead(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "Show, replay and purge records that could not be used",
	}
	var limit int
	list := &cobra.Command{
		Use:   "list [STREAM]",
		Short: "List dead letters, newest first",
		Args:  cobra.MaximumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return c.deadList(cmd.Context(), args, limit) },
	}
	list.Flags().IntVarP(&limit, "limit", "n", 20, "at most this many")
	show := &cobra.Command{
		Use:   "show STREAM ID",
		Short: "Show one dead letter with its raw bytes",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.printJSON(cmd.Context(), http.MethodGet, deadPath(args[0], args[1]), "")
		},
	}
	replay := c.deadAction("replay", "Send dead letters through the stream's present schema; those that fit leave the list")
	purge := c.deadAction("purge", "Forget dead letters")
	cmd.AddCommand(list, show, replay, purge)
	return cmd
}

func deadPath(parts ...string) string {
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/v1/dead-letters/" + strings.Join(parts, "/")
}

// deadAction makes replay and purge, which take IDs or --all.
func (c *client) deadAction(name, short string) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   name + " STREAM [ID...]",
		Short: short,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 1) {
				return types.Errorf(types.InvalidArgument, "name the dead letters by ID, or all of them with --all")
			}
			body, err := json.Marshal(map[string]any{"ids": args[1:]})
			if all {
				body, err = []byte(`{"all":true}`), nil
			}
			if err != nil {
				return err
			}
			return c.printJSON(cmd.Context(), http.MethodPost, deadPath(args[0], name), string(body))
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all of the stream's")
	return cmd
}

func (c *client) deadList(ctx context.Context, args []string, limit int) error {
	where, params := "", map[string]any(nil)
	if len(args) == 1 {
		where, params = "WHERE stream = $stream", map[string]any{"stream": strings.ToLower(args[0])}
	}
	text := fmt.Sprintf("SELECT id, stream, received_at, reason, path, message, hint FROM leat_system.dead_letters %s ORDER BY id DESC LIMIT %d", where, limit)
	return c.runSQL(ctx, text, params, 0)
}

// printJSON prints an answer indented on a terminal, else as it came.
func (c *client) printJSON(ctx context.Context, method, path, body string) error {
	r := request{method: method, path: path}
	if body != "" {
		r.body, r.header = strings.NewReader(body), map[string]string{"Content-Type": "application/json"}
	}
	var raw json.RawMessage
	if err := c.getJSON(ctx, r, &raw); err != nil {
		return err
	}
	if c.env.Terminal {
		if indented, err := json.MarshalIndent(raw, "", "  "); err == nil {
			raw = indented
		}
	}
	_, err := fmt.Fprintln(c.env.Stdout, string(raw))
	return err
}
