package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/peterh/liner"
)

// sqlWords are what the REPL completes besides names of the catalog.
var sqlWords = strings.Fields(`SELECT FROM WHERE GROUP BY ORDER LIMIT HAVING JOIN LEFT USING ON WITH AS CREATE STREAM TABLE VIEW ENDPOINT
	ALTER DROP SHOW STREAMS TABLES VIEWS ENDPOINTS DESCRIBE EXPLAIN INSERT INTO VALUES DELETE DISTINCT COUNT QUALIFY OVER PARTITION
	TIMESTAMP VARCHAR BIGINT DOUBLE INTERVAL WATERMARK FOR`)

// repl reads statements until a line ends in ; and runs them. Ctrl-C drops the statement, Ctrl-D leaves.
func (c *client) repl(ctx context.Context) error {
	line := liner.NewLiner()
	defer line.Close()
	line.SetCtrlCAborts(true)
	names := c.names(ctx)
	line.SetWordCompleter(func(text string, pos int) (string, []string, string) { return complete(text, pos, names) })
	history := historyFile(c.env)
	if f, err := os.Open(history); err == nil {
		_, _ = line.ReadHistory(f) // a damaged history is not worth a word
		f.Close()
	}
	defer saveHistory(line, history)
	fmt.Fprintln(c.env.Stderr, "End statements with ;   \\d lists what there is, \\q or Ctrl-D leaves.")
	var statement strings.Builder
	for {
		prompt := "leat> "
		if statement.Len() > 0 {
			prompt = "  ... "
		}
		text, err := line.Prompt(prompt)
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			statement.Reset()
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(c.env.Stderr)
			return nil
		case err != nil:
			return err
		}
		trimmed := strings.TrimSpace(text)
		if statement.Len() == 0 {
			switch trimmed {
			case "":
				continue
			case `\q`, "exit", "quit":
				return nil
			case `\d`:
				trimmed, text = ";", "SHOW ALL;"
			}
		}
		statement.WriteString(text + "\n")
		if !strings.HasSuffix(trimmed, ";") {
			continue
		}
		script := strings.TrimSpace(statement.String())
		statement.Reset()
		line.AppendHistory(strings.Join(strings.Fields(script), " "))
		if err := c.runSQL(ctx, script, nil, 0); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			Exit(c.env, err)
		}
	}
}

// names fetches what can be completed; without an answer there is just SQL.
func (c *client) names(ctx context.Context) []string {
	var doc struct{ Data []struct{ Name string } }
	r := sqlRequest("SELECT name FROM leat_system.columns UNION SELECT name FROM leat_system.objects ORDER BY 1", nil, "json", 5000)
	if c.getJSON(ctx, r, &doc) != nil {
		return sqlWords
	}
	out := append([]string(nil), sqlWords...)
	for _, d := range doc.Data {
		out = append(out, d.Name)
	}
	return out
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
