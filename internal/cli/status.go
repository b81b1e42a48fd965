package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"leat/internal/types"
)

func newStatus(c *client) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show how the server is doing",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.status(cmd.Context()) },
	}
}

// status is what GET /v1/status answers, as far as it is shown on a terminal.
type status struct {
	Version     string           `json:"version"`
	Ready       bool             `json:"ready"`
	Uptime      float64          `json:"uptime_seconds"`
	Data        string           `json:"data"`
	Objects     map[string]int64 `json:"objects"`
	Loaded      int64            `json:"rows_loaded_since_start"`
	Lag         int64            `json:"lag_rows"`
	DeadLetters int64            `json:"dead_letters"`
	LogBytes    int64            `json:"log_bytes"`
	MemoryBytes int64            `json:"memory_bytes"`
	Views       map[string]int64 `json:"views"`
	ViewsLag    int64            `json:"views_lag"`
}

func (c *client) status(ctx context.Context) error {
	return c.document(ctx, request{method: http.MethodGet, path: "/v1/status"}, func(raw json.RawMessage, w io.Writer) error {
		var s status
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		s.print(w, c.global.server)
		return nil
	})
}

func (s status) print(w io.Writer, server string) {
	state := "ready"
	if !s.Ready {
		state = "NOT READY (see GET /readyz)"
	}
	var objects []string
	for _, kind := range slices.Sorted(maps.Keys(s.Objects)) {
		objects = append(objects, humanCount(s.Objects[kind])+" "+kind)
	}
	dead := humanCount(s.DeadLetters)
	if s.DeadLetters > 0 {
		dead += "  (`leat dead list`)"
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"server", server}, {"version", s.Version}, {"state", state},
		{"up", humanDuration(time.Duration(s.Uptime * float64(time.Second)))}, {"data", s.Data},
		{"objects", cmp.Or(strings.Join(objects, ", "), "none")}, {"materialized", s.materialized()},
		{"loaded", humanCount(s.Loaded) + " rows since the start"}, {"lag", humanCount(s.Lag) + " rows not yet in SQL"},
		{"dead letters", dead}, {"log", humanBytes(s.LogBytes)}, {"memory", humanBytes(s.MemoryBytes)},
	} {
		if line[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", line[0], line[1])
		}
	}
	_ = t.Flush() // an error of the terminal: nobody is left to tell
}

// materialized says what materialized views are doing; nothing where there are none.
func (s status) materialized() string {
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(s.Views)) {
		parts = append(parts, humanCount(s.Views[state])+" "+state)
	}
	if parts == nil {
		return ""
	}
	text := strings.Join(parts, ", ")
	if s.ViewsLag > 0 {
		text += ", " + humanCount(s.ViewsLag) + " offsets behind"
	}
	if s.Views["failed"] > 0 {
		text += "  (`SHOW VIEWS`)"
	}
	return text
}

// document prints one JSON document: for people by the given function, as json indented, as ndjson on one line.
func (c *client) document(ctx context.Context, r request, table func(json.RawMessage, io.Writer) error) error {
	format, err := c.format()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	switch format {
	case "table", "json", "ndjson":
	default:
		return types.Errorf(types.InvalidArgument, "this command has no format %s", format).WithHint("use table, json or ndjson")
	}
	if err := c.getJSON(ctx, r, &raw); err != nil {
		return err
	}
	if format == "table" {
		return table(raw, c.env.Stdout)
	}
	if format == "json" {
		return printIndented(raw, c.env.Stdout)
	}
	_, err = fmt.Fprintln(c.env.Stdout, string(raw))
	return err
}

func printIndented(raw json.RawMessage, w io.Writer) error {
	indented, err := json.MarshalIndent(raw, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, string(indented))
	return err
}
