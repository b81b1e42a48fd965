package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leat/internal/types"
)

// tail is what `leat tail` is told.
type tail struct {
	*client
	path       string
	query      url.Values
	table      bool
	endpoint   bool
	noSnapshot bool
	changes    int

	// id is that of the last event, told how many changes were shown.
	id   string
	told int
}

func newTail(c *client) *cobra.Command {
	t := &tail{client: c}
	cmd := &cobra.Command{
		Use:   "tail VIEW [COLUMN=VALUE...]",
		Short: "Follow a materialized view: its rows, then each change",
		Long: "Follow a materialized view: its rows, then each change, until interrupted. COLUMN=VALUE picks rows.\n" +
			"On a terminal + is a row as it is now, - one that has gone; in a pipe each event is a line of JSON.\n" +
			"A lost connection is opened again where it broke.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return t.run(cmd.Context(), args) },
	}
	cmd.Flags().BoolVar(&t.table, "table", false, "follow a table")
	cmd.Flags().BoolVar(&t.endpoint, "endpoint", false, "follow the result of an endpoint; COLUMN=VALUE are its parameters")
	cmd.Flags().BoolVar(&t.noSnapshot, "no-snapshot", false, "show changes from now on only")
	cmd.Flags().IntVarP(&t.changes, "changes", "n", 0, "end after so many changes (0: never)")
	return cmd
}

func (t *tail) run(ctx context.Context, args []string) error {
	t.path = "/v1/views/" + url.PathEscape(args[0]) + "/changes"
	switch {
	case t.table && t.endpoint:
		return types.Errorf(types.InvalidArgument, "--table and --endpoint exclude each other")
	case t.table:
		t.path = "/v1/tables/" + url.PathEscape(args[0]) + "/changes"
	case t.endpoint:
		t.path = "/v1/endpoints/" + url.PathEscape(args[0]) + "/live"
	}
	t.query = url.Values{}
	for _, a := range args[1:] {
		name, value, ok := strings.Cut(a, "=")
		if !ok || name == "" {
			return types.Errorf(types.InvalidArgument, "%q is not COLUMN=VALUE", a)
		}
		t.query.Add(name, value)
	}
	if t.noSnapshot {
		t.query.Set("_snapshot", "false")
	}
	return t.follow(ctx)
}

// Pauses between attempts to connect again.
const (
	firstTailPause = 500 * time.Millisecond
	longTailPause  = 10 * time.Second
)

// follow connects, and connects again where a connection that stood is lost.
func (t *tail) follow(ctx context.Context) error {
	pause := firstTailPause
	for first := true; ; first = false {
		lost, err := t.connect(ctx)
		switch {
		case err == nil && !lost:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && (first || !types.HasCode(err, types.Unavailable) && !types.HasCode(err, types.TooManyRequests)):
			return err
		case err == nil:
			pause = firstTailPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, longTailPause)
	}
}

// connect follows one connection to its end; lost says that it broke.
func (t *tail) connect(ctx context.Context) (lost bool, err error) {
	r := request{method: http.MethodGet, path: t.path, query: t.query, header: map[string]string{"Accept": "text/event-stream"}}
	if t.id != "" {
		r.header["Last-Event-ID"] = t.id
	}
	resp, err := t.do(ctx, r)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	var event, id, data string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return true, nil
		}
		line = strings.TrimRight(line, "\r\n")
		if line != "" {
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch name {
			case "event":
				event = value
			case "id":
				id = value
			case "data":
				data = value
			}
			continue
		}
		if event != "" {
			if done, err := t.show(event, data); done || err != nil {
				return types.HasCode(err, types.Unavailable), ignoreUnavailable(err)
			}
			if id != "" {
				t.id = id
			}
		}
		event, id, data = "", "", ""
	}
}

// ignoreUnavailable makes nothing of a server that stops: the connection is lost.
func ignoreUnavailable(err error) error {
	if types.HasCode(err, types.Unavailable) {
		return nil
	}
	return err
}

// show prints an event; done says that it was the last one wanted.
func (t *tail) show(event, data string) (done bool, err error) {
	if event == "error" {
		var p problem
		if err := json.Unmarshal([]byte(data), &p); err != nil || p.Code == "" {
			return true, types.Errorf(types.Internal, "the server ended the stream: %.200s", data)
		}
		return true, p.error()
	}
	if err := t.print(t.env.Stdout, event, data); err != nil {
		return true, err
	}
	switch event {
	case "upsert", "insert", "delete":
		t.told++
	}
	return t.changes > 0 && t.told >= t.changes, nil
}

// print writes an event as a line of JSON, or for people.
func (t *tail) print(w io.Writer, event, data string) error {
	if !t.env.Terminal && t.global.format == "" || t.global.format == "ndjson" || t.global.format == "json" {
		_, err := fmt.Fprintf(w, "{\"event\":%q,\"data\":%s}\n", event, data)
		return err
	}
	sign := "+"
	switch event {
	case "snapshot":
		var page struct{ Rows []json.RawMessage }
		if err := json.Unmarshal([]byte(data), &page); err != nil {
			return types.Errorf(types.Internal, "the server sent a damaged snapshot: %w", err)
		}
		for _, row := range page.Rows {
			if _, err := fmt.Fprintf(w, "  %s\n", row); err != nil {
				return err
			}
		}
		return nil
	case "reset":
		_, err := fmt.Fprintf(t.env.Stderr, "-- begun anew: %s\n", data)
		return err
	case "progress":
		return nil
	case "delete":
		sign = "-"
	}
	_, err := fmt.Fprintf(w, "%s %s\n", sign, data)
	return err
}
