// Package cli holds the commands that are clients of a server's HTTP API. Results go to stdout, the rest to stderr.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"leat/internal/types"
)

// Env is what a command touches of the outside, so that tests can run it whole.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal is set when Stdout is a terminal: results are then tables and progress is drawn.
	Terminal bool
	// Interactive is set when Stdin is a terminal: `leat sql` alone is then a REPL.
	Interactive bool
	Getenv      func(string) string
}

// OS returns the environment of the process.
func OS() Env {
	return Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Terminal: isTerminal(os.Stdout), Interactive: isTerminal(os.Stdin), Getenv: os.Getenv,
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// global are the flags of every client command.
type global struct {
	server, token, format string
	// caCert, cert and key are files of TLS.
	caCert, cert, key string
}

// New returns the root command with the client commands and the given server commands.
func New(env Env, version string, server ...*cobra.Command) *cobra.Command {
	g := &global{}
	root := &cobra.Command{
		Use:           "leat",
		Short:         "Real-time data in one binary: send events, query them as SQL and HTTP APIs within milliseconds",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return types.Errorf(types.InvalidArgument, "%w", err).WithHint("see `%s --help`", c.CommandPath())
	})
	c := &client{env: env, global: g}
	for _, cmd := range []*cobra.Command{
		newSend(c), newSQL(c), newStatus(c), newStreams(c), newSchema(c), newTail(c), newDead(c), newToken(c), newIssuer(c),
	} {
		clientFlags(cmd, env, g)
		root.AddCommand(cmd)
	}
	root.AddCommand(newInfer(env))
	root.AddCommand(server...)
	explainArgs(root)
	return root
}

// explainArgs makes errors about arguments say how the command is used.
func explainArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return types.Errorf(types.InvalidArgument, "%w", err).WithHint("usage: %s", cmd.UseLine())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		explainArgs(sub)
	}
}

// defaultServer is where `leat start` listens unless told otherwise.
const defaultServer = "http://127.0.0.1:4280"

func clientFlags(cmd *cobra.Command, env Env, g *global) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&g.server, "server", orDefault(env.Getenv("LEAT_SERVER"), defaultServer), "URL of the server (LEAT_SERVER)")
	flags.StringVar(&g.token, "token", "", "token, where the server wants one (LEAT_TOKEN)")
	flags.StringVar(&g.caCert, "cacert", env.Getenv("LEAT_CACERT"), "PEM file of the authority that signed the server's certificate, if the system doesn't know it (LEAT_CACERT)")
	flags.StringVar(&g.cert, "cert", env.Getenv("LEAT_CERT"), "PEM file of a certificate, where the server wants one of clients (LEAT_CERT)")
	flags.StringVar(&g.key, "key", env.Getenv("LEAT_KEY"), "PEM file of the certificate's key (LEAT_KEY)")
	flags.StringVar(&g.format, "format", "", "table, json, ndjson, csv, parquet, arrow (default: table on a terminal, ndjson in a pipe)")
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// Exit prints err to stderr as users should see it and returns the exit code: 0 ok, 1 failed, 2 usage, 3 differences found.
func Exit(env Env, err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, context.Canceled) {
		return 1
	}
	e, ok := errors.AsType[*types.Error](err)
	if !ok {
		fmt.Fprintln(env.Stderr, "leat:", err)
		return 2 // cobra's own errors are about usage
	}
	fmt.Fprintln(env.Stderr, "leat:", e.Error())
	for _, sub := range e.Errors {
		fmt.Fprintln(env.Stderr, "  -", sub.Error())
		printHint(env.Stderr, "    ", sub.Hint)
	}
	printHint(env.Stderr, "  ", e.Hint)
	return e.Code.Mapping().Exit
}

func printHint(w io.Writer, indent, hint string) {
	if hint != "" {
		fmt.Fprintf(w, "%shint: %s\n", indent, hint)
	}
}
