package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leat/internal/types"
)

type sqlFlags struct {
	file   string
	watch  time.Duration
	params []string
	limit  int
}

func newSQL(c *client) *cobra.Command {
	var f sqlFlags
	cmd := &cobra.Command{
		Use:   "sql [QUERY]",
		Short: "Run SQL; alone on a terminal it is a REPL",
		Example: `  leat sql "SELECT origin, count(*) FROM flights GROUP BY 1 ORDER BY 2 DESC LIMIT 5"
  leat sql -f busiest.sql
  leat sql --watch "SELECT count(*) FROM flights"
  leat sql --param state=TX "SELECT * FROM airports WHERE state = $state"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.sql(cmd.Context(), f, args, cmd.Flags().Changed("watch"))
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "file", "f", "", "read SQL from a file, - for standard input")
	flags.DurationVarP(&f.watch, "watch", "w", time.Second, "run again at this interval until interrupted")
	flags.Lookup("watch").NoOptDefVal = "1s"
	flags.StringArrayVarP(&f.params, "param", "p", nil, "value of a parameter: name=value (JSON or plain text), repeatable")
	flags.IntVar(&f.limit, "limit", 0, "at most this many rows (0: 1,000 in a table, else the server's bound)")
	return cmd
}

func (c *client) sql(ctx context.Context, f sqlFlags, args []string, watch bool) error {
	text, err := c.sqlText(f, args)
	if err != nil {
		return err
	}
	params, err := parseParams(f.params)
	if err != nil {
		return err
	}
	switch {
	case text == "" && c.env.Interactive && f.file == "":
		return c.repl(ctx)
	case strings.TrimSpace(text) == "":
		return types.Errorf(types.InvalidArgument, "no SQL was given").WithHint("leat sql \"SELECT ...\", or -f FILE, or pipe it in")
	case watch:
		return c.watch(ctx, text, params, f)
	}
	return c.runSQL(ctx, text, params, f.limit)
}

// sqlText takes the text from the argument, the file or the pipe.
func (c *client) sqlText(f sqlFlags, args []string) (string, error) {
	switch {
	case len(args) == 1 && f.file != "":
		return "", types.Errorf(types.InvalidArgument, "give either a query or --file")
	case len(args) == 1:
		return args[0], nil
	case f.file != "" && f.file != "-":
		b, err := os.ReadFile(f.file)
		if err != nil {
			return "", types.Errorf(types.InvalidArgument, "%w", err)
		}
		return string(b), nil
	case f.file == "-" || !c.env.Interactive:
		b, err := io.ReadAll(c.env.Stdin)
		return string(b), err
	}
	return "", nil
}

// parseParams reads name=value; a value that is JSON keeps its type, any other is text.
func parseParams(params []string) (map[string]any, error) {
	if len(params) == 0 {
		return nil, nil
	}
	out := map[string]any{}
	for _, p := range params {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, types.Errorf(types.InvalidArgument, "parameter %q is not name=value", p)
		}
		var v any
		dec := json.NewDecoder(strings.NewReader(value))
		dec.UseNumber()
		if dec.Decode(&v) != nil || dec.More() {
			v = value
		}
		out[name] = v
	}
	return out, nil
}

// sqlRequest makes the call; format is one that the server knows.
func sqlRequest(text string, params map[string]any, format string, limit int) request {
	q := url.Values{"format": {format}}
	if limit > 0 {
		q.Set("_limit", fmt.Sprint(limit))
	}
	r := request{method: http.MethodPost, path: "/v1/sql", query: q}
	if params == nil {
		r.body, r.header = strings.NewReader(text), map[string]string{"Content-Type": "application/sql"}
		return r
	}
	b, err := json.Marshal(map[string]any{"sql": text, "params": params})
	if err != nil {
		panic("BUG: parameters that came from JSON or text: " + err.Error())
	}
	r.body, r.header = strings.NewReader(string(b)), map[string]string{"Content-Type": "application/json"}
	return r
}

// tableRows is how many rows a table shows unless --limit says otherwise.
const tableRows = 1000

// runSQL runs a script: runs of definitions as one request and transaction, every other statement as its own.
func (c *client) runSQL(ctx context.Context, text string, params map[string]any, limit int) error {
	format, err := c.format()
	if err != nil {
		return err
	}
	parts := requests(text)
	if len(parts) == 0 {
		parts = []statement{{text: text}} // the server says what is wrong
	}
	if len(parts) > 1 && (format == "parquet" || format == "arrow") {
		return types.Errorf(types.InvalidArgument, "several results don't fit one %s file", format).WithHint("run the statements one by one")
	}
	for i, part := range parts {
		if err := c.runPart(ctx, part.text, params, format, limit); err != nil {
			if i > 0 {
				fmt.Fprintf(c.env.Stderr, "%d of %d requests of this script were done before the failure\n", i, len(parts))
			}
			return onLine(err, part.line)
		}
	}
	return nil
}

func (c *client) runPart(ctx context.Context, text string, params map[string]any, format string, limit int) error {
	if format == "table" {
		return c.printTable(ctx, text, params, limit, c.env.Stdout, c.env.Stderr)
	}
	resp, err := c.doSQL(ctx, text, params, format, limit)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(c.env.Stdout, resp.Body); err != nil {
		return types.Errorf(types.Unavailable, "the answer was cut: %w", err)
	}
	return nil
}

// write matches the statements whose rows the next statement of this process must see.
var write = regexp.MustCompile(`(?i)^\s*(INSERT|DELETE)\b`)

// doSQL runs one request, which sees what the one before it wrote.
func (c *client) doSQL(ctx context.Context, text string, params map[string]any, format string, limit int) (*http.Response, error) {
	r := sqlRequest(text, params, format, limit)
	if c.wrote != "" {
		r.header["Leat-After"] = c.wrote
		c.wrote = ""
	}
	resp, err := c.do(ctx, r)
	if err != nil {
		return nil, withExcerpt(err, text)
	}
	if write.MatchString(text) {
		c.wrote = resp.Header.Get("Leat-Position")
	}
	return resp, nil
}

// printTable prints a result to w and the line about it to note.
func (c *client) printTable(ctx context.Context, text string, params map[string]any, limit int, w, note io.Writer) error {
	if limit == 0 {
		limit = tableRows
	}
	resp, err := c.doSQL(ctx, text, params, "json", limit)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	res, err := readResult(resp.Body)
	if err != nil {
		return err
	}
	res.print(w)
	fmt.Fprint(note, res.summary())
	return nil
}

// onLine moves an error's place down by so many lines.
func onLine(err error, lines int) error {
	e, ok := errors.AsType[*types.Error](err)
	if !ok || e.Line == 0 || lines == 0 {
		return err
	}
	moved := *e
	moved.Line += lines
	return &moved
}

// withExcerpt adds the line of SQL at fault with a caret under the place.
func withExcerpt(err error, text string) error {
	e, ok := errors.AsType[*types.Error](err)
	if !ok || e.Line == 0 {
		return err
	}
	lines := strings.Split(text, "\n")
	if e.Line > len(lines) || e.Column < 1 {
		return err
	}
	line := []rune(strings.TrimRight(lines[e.Line-1], "\r"))
	from, to := max(0, e.Column-60), min(len(line), e.Column+40)
	if from > to {
		return err
	}
	shown := *e
	shown.Message = fmt.Sprintf("%s\n  %s\n  %s^", e.Message, strings.ReplaceAll(string(line[from:to]), "\t", " "), strings.Repeat(" ", e.Column-1-from))
	return &shown
}

// watch repeats a query, on a terminal in place.
func (c *client) watch(ctx context.Context, text string, params map[string]any, f sqlFlags) error {
	tick := time.NewTicker(max(f.watch, 50*time.Millisecond))
	defer tick.Stop()
	if c.env.Terminal {
		fmt.Fprint(c.env.Stdout, "\x1b[2J")
	}
	for {
		var screen strings.Builder
		if err := c.printTable(ctx, text, params, f.limit, &screen, &screen); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		shown := screen.String()
		if c.env.Terminal {
			// Written over the last one and the rest cleared, so that nothing flickers.
			shown = "\x1b[H" + strings.ReplaceAll(shown, "\n", "\x1b[K\n") + "\x1b[J"
		}
		if _, err := io.WriteString(c.env.Stdout, shown); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
