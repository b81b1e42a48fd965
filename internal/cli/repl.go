package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/peterh/liner"

	"leat/internal/types"
)

// sqlWords are what the REPL completes besides names of the catalog.
var sqlWords = strings.Fields(`SELECT FROM WHERE GROUP BY ORDER LIMIT HAVING JOIN LEFT USING ON WITH AS CREATE STREAM TABLE VIEW ENDPOINT
	ALTER DROP SHOW STREAMS TABLES VIEWS ENDPOINTS DESCRIBE EXPLAIN INSERT INTO VALUES DELETE DISTINCT COUNT QUALIFY OVER PARTITION
	TIMESTAMP VARCHAR BIGINT DOUBLE INTERVAL WATERMARK FOR`)

const replHelp = `End statements with ;   \d lists what there is, \d NAME shows one, \q or Ctrl-D leaves.`

// repl reads statements until a line ends in ; and runs them. Ctrl-C drops the statement, Ctrl-D leaves.
func (c *client) repl(ctx context.Context) error {
	line := liner.NewLiner()
	defer line.Close() //nolint:errcheck // the terminal is as it was, or gone
	line.SetCtrlCAborts(true)
	names := c.names(ctx)
	line.SetWordCompleter(func(text string, pos int) (string, []string, string) { return complete(text, pos, names) })
	history := historyFile(c.env)
	if f, err := os.Open(history); err == nil {
		_, _ = line.ReadHistory(f) // a damaged history is not worth a word
		f.Close()
	}
	defer saveHistory(line, history)
	fmt.Fprintln(c.env.Stderr, replHelp)
	// Ctrl-C ends the query under way, not the REPL.
	ctx = context.WithoutCancel(ctx)
	var script string
	for {
		prompt := "leat> "
		if script != "" {
			prompt = "  ... "
		}
		text, err := line.Prompt(prompt)
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			script = ""
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(c.env.Stderr)
			return nil
		case err != nil:
			return err
		}
		if script == "" || strings.HasPrefix(text, `\`) {
			switch sql, act := command(text); {
			case act == leave:
				return nil
			case act == help:
				fmt.Fprintln(c.env.Stderr, replHelp)
				continue
			case act == run:
				line.AppendHistory(text)
				c.replRun(ctx, sql)
				continue
			case script == "" && strings.TrimSpace(text) == "":
				continue
			}
		}
		script += text + "\n"
		if !endsStatement(script) {
			continue
		}
		line.AppendHistory(historyLine(script))
		saveHistory(line, history)
		c.replRun(ctx, script)
		if definition.MatchString(script[skipBlank(script):]) {
			names = c.names(ctx)
		}
		script = ""
	}
}

// action is what a line that isn't SQL asks for.
type action int

const (
	none action = iota
	run
	leave
	help
)

// command reads a line that isn't SQL; for run it returns the statement to run.
func command(text string) (sql string, act action) {
	word, name, _ := strings.Cut(strings.TrimRight(strings.TrimSpace(text), "; "), " ")
	name = strings.TrimSpace(name)
	switch {
	case word == `\q`, name == "" && (word == "exit" || word == "quit"):
		return "", leave
	case word == `\d` && name != "":
		return "DESCRIBE " + name, run
	case word == `\d`:
		return "SHOW ALL", run
	case strings.HasPrefix(word, `\`), name == "" && word == "help":
		return "", help
	}
	return "", none
}

func (c *client) replRun(ctx context.Context, script string) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	if err := c.runSQL(ctx, script, nil, 0); err != nil {
		if ctx.Err() != nil {
			err = types.Errorf(types.Canceled, "interrupted")
		}
		Exit(c.env, err)
	}
}

// historyLine is a script on one line, without the comments that would swallow the rest of it.
func historyLine(script string) string {
	var b strings.Builder
	for i, n := 0, 0; i < len(script); i += n {
		n = tokenLen(script[i:])
		if token := script[i : i+n]; strings.HasPrefix(token, "--") {
			b.WriteByte(' ')
		} else {
			b.WriteString(strings.ReplaceAll(token, "\n", " "))
		}
	}
	return strings.TrimSpace(b.String())
}

// names fetches what can be completed; without an answer there is just SQL.
func (c *client) names(ctx context.Context) []string {
	var doc struct{ Data []struct{ Name string } }
	r := sqlRequest(`SELECT "column" AS name FROM leat_system.columns UNION SELECT name FROM leat_system.objects ORDER BY 1`, nil, "json", 5000)
	if c.getJSON(ctx, r, &doc) != nil {
		return sqlWords
	}
	out := make([]string, 0, len(doc.Data)+len(sqlWords))
	for _, d := range doc.Data {
		out = append(out, d.Name)
	}
	return append(out, sqlWords...) // the names first: they are harder to type
}

// complete offers the words that start as the one before the cursor does.
func complete(text string, pos int, names []string) (head string, found []string, tail string) {
	runes := []rune(text)
	head, tail = string(runes[:pos]), string(runes[pos:])
	start := strings.LastIndexFunc(head, func(r rune) bool {
		return r != '_' && r != '.' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	}) + 1
	word := head[start:]
	if word == "" {
		return head, nil, tail
	}
	for _, n := range names {
		if len(n) >= len(word) && strings.EqualFold(n[:len(word)], word) {
			if word == strings.ToLower(word) && n == strings.ToUpper(n) {
				n = strings.ToLower(n)
			}
			found = append(found, n)
		}
	}
	return head[:start], found, tail
}

func historyFile(env Env) string {
	if dir := env.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "leat_history")
	}
	return filepath.Join(env.Getenv("HOME"), ".leat_history")
}

func saveHistory(line *liner.State, path string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = line.WriteHistory(f) // the history is a convenience
}
