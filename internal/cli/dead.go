package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
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
			return c.document(cmd.Context(), request{method: http.MethodGet, path: deadPath(args[0], args[1])}, printIndented)
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
				return types.Errorf(types.InvalidArgument, "name the dead letters by ID, or all of them with --all").
					WithHint("`leat dead list %s` shows their IDs", args[0])
			}
			body, err := json.Marshal(map[string]any{"ids": args[1:]})
			if all {
				body, err = []byte(`{"all":true}`), nil
			}
			if err != nil {
				return err
			}
			return c.document(cmd.Context(), request{
				method: http.MethodPost, path: deadPath(args[0], name), body: bytes.NewReader(body),
				header: map[string]string{"Content-Type": "application/json"},
			}, printDeadAnswer)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all of the stream's")
	return cmd
}

func (c *client) deadList(ctx context.Context, args []string, limit int) error {
	where, params := "", map[string]any(nil)
	if len(args) == 1 {
		if err := c.checkStream(ctx, args[0]); err != nil {
			return err
		}
		where, params = "WHERE stream = $stream", map[string]any{"stream": strings.ToLower(args[0])}
	}
	text := fmt.Sprintf("SELECT id, stream, received_at, reason, path, message, hint FROM leat_system.dead_letters %s ORDER BY id DESC LIMIT %d", where, limit)
	return c.runSQL(ctx, text, params, 0)
}

// checkStream tells a mistyped name from a stream without dead letters.
func (c *client) checkStream(ctx context.Context, name string) error {
	var relation struct{}
	err := c.getJSON(ctx, request{method: http.MethodGet, path: "/v1/streams/" + url.PathEscape(strings.ToLower(name))}, &relation)
	if e, ok := errors.AsType[*types.Error](err); ok && e.Code == types.NotFound {
		return e.WithHint("`leat streams` lists what there is; `leat dead list` alone shows the dead letters of all streams")
	}
	return err
}

// printDeadAnswer says what became of dead letters.
func printDeadAnswer(raw json.RawMessage, w io.Writer) error {
	var a struct {
		Replayed, Failed, Rows, Purged *int64
		FirstErrors                    []problem `json:"first_errors"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	if a.Replayed == nil || a.Failed == nil || a.Rows == nil {
		if a.Purged == nil {
			return printIndented(raw, w)
		}
		_, err := fmt.Fprintf(w, "%s forgotten\n", humanCount(*a.Purged))
		return err
	}
	fmt.Fprintf(w, "%s replayed into %s, %s still don't fit\n", humanCount(*a.Replayed), rowCount(*a.Rows), humanCount(*a.Failed))
	printProblems(w, a.FirstErrors)
	return nil
}

// printProblems lists why records don't fit.
func printProblems(w io.Writer, problems []problem) {
	for _, p := range problems {
		fmt.Fprintln(w, "  -", p.error().Error())
		printHint(w, "    ", p.Hint)
	}
}
