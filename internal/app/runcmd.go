package app

import (
	"errors"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"leat/internal/cli"
	"leat/internal/duck"
	"leat/internal/engine/expr"
	runner "leat/internal/run"
	"leat/internal/sql/bind"
	"leat/internal/state"
	"leat/internal/state/pebblestate"
	"leat/internal/types"
)

// newRun makes `leat run`: the engine over files and pipes, without a server.
func newRun(env cli.Env) *cobra.Command {
	var o runner.Options
	var inputs, tables []string
	var memory = Bytes(1 << 30)
	cmd := &cobra.Command{
		Use:   "run SQL|FILE",
		Short: "Run continuous queries over files and pipes, without a server",
		Long: `Run a query incrementally over files and pipes: the engine of materialized views, without a server.

  leat run "SELECT kind, count(*) AS n FROM stdin GROUP BY kind" < events.ndjson
  leat run query.sql --input bid=bid.ndjson --table side=side.csv --changes

The last statement of the script is printed; statements before it may declare streams and tables and define views.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.Script, err = scriptText(args[0]); err != nil {
				return err
			}
			if o.Inputs, err = sources("--input", inputs); err != nil {
				return err
			}
			if o.Tables, err = sources("--table", tables); err != nil {
				return err
			}
			o.Stdin, o.Stdout, o.Stderr = env.Stdin, env.Stdout, env.Stderr
			return runEngine(cmd, o, int64(memory))
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&inputs, "input", nil, "a stream's file, as name=FILE (NDJSON, JSON array, CSV, Parquet; - is stdin); repeatable")
	flags.StringArrayVar(&tables, "table", nil, "a table's file, as name=FILE: a record upserts its key, \"_op\":\"d\" deletes it; repeatable")
	flags.StringArrayVar(&o.Watermarks, "watermark", nil, "event time and delay of a stream, as 'name.column - INTERVAL 4 SECONDS'; repeatable")
	flags.StringVar(&o.Format, "format", "ndjson", "ndjson, csv, parquet, json or arrow")
	flags.BoolVar(&o.Changes, "changes", false, "print every change with its weight instead of the rows at the end")
	flags.IntVar(&o.Step, "step", 0, "records per step (default: as many as are at hand)")
	flags.BoolVar(&o.Follow, "follow", false, "go on as files grow, and print changes")
	flags.BoolVar(&o.NoClose, "no-close", false, "leave windows open at the end of the input")
	flags.BoolVar(&o.Explain, "explain", false, "print the plan and its state instead of running it")
	flags.Var(&memory, "memory", "memory for state; more of it goes to a temporary folder")
	return cmd
}

// scriptText is the argument itself, or the text of the file of that name.
func scriptText(arg string) (string, error) {
	if arg == "" || strings.ContainsAny(arg, " \t\n") {
		return arg, nil
	}
	text, err := os.ReadFile(arg)
	if err != nil {
		return "", types.Errorf(types.InvalidArgument, "%w", err).WithHint("give a file with SQL, or the SQL itself in quotes")
	}
	return string(text), nil
}

func sources(flag string, given []string) ([]runner.Source, error) {
	var out []runner.Source
	for _, g := range given {
		name, path, ok := strings.Cut(g, "=")
		if !ok || name == "" || path == "" {
			return nil, types.Errorf(types.InvalidArgument, "%s %q is not name=FILE", flag, g)
		}
		out = append(out, runner.Source{Name: strings.ToLower(name), Path: path})
	}
	return out, nil
}

// runEngine gives the run its DuckDB, which binds queries and evaluates what has no kernel, and a place for its state.
func runEngine(cmd *cobra.Command, o runner.Options, memory int64) error {
	planner, err := duck.NewPlanner()
	if err != nil {
		return err
	}
	defer planner.Close()
	parser, err := duck.NewParser()
	if err != nil {
		return err
	}
	defer parser.Close()
	evaluator := &lazyEvaluator{}
	defer evaluator.close()
	dir, err := os.MkdirTemp("", "leat-run-")
	if err != nil {
		return types.Errorf(types.Unavailable, "a temporary folder for state: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // nothing in it outlives the run
	defer debug.SetMemoryLimit(heapLimit(memory))
	o.Binder, o.Evaluator = bind.New(planner, parser), expr.FromArrow(evaluator)
	o.State = func() (state.Store, error) { return openRunState(filepath.Join(dir, "state"), memory) }
	// A reader that has had enough, such as head, closes the pipe: the run then ends as one that is done, and takes its state away.
	signal.Ignore(syscall.SIGPIPE)
	if err := runner.Run(cmd.Context(), o); !errors.Is(err, syscall.EPIPE) {
		return err
	}
	return nil
}

// besidesState is heap of a run that is no state: bodies of input, what is decoded of them, output.
const besidesState = 256 << 20

// heapLimit sets from where on the collector no longer lets the heap double: the budget of the state, a quarter for what its pages leave
// behind, and the rest of the run. It returns the limit before; one that was set, with GOMEMLIMIT, stays.
func heapLimit(state int64) (before int64) {
	if before = debug.SetMemoryLimit(-1); before == math.MaxInt64 && state < math.MaxInt64/2 {
		debug.SetMemoryLimit(state + state/4 + besidesState)
	}
	return before
}

// volatileState is a store that ends with the run: it writes only what doesn't fit the memory.
type volatileState struct {
	*pebblestate.Store
	engine *pebblestate.Engine
}

func openRunState(dir string, memory int64) (state.Store, error) {
	e, err := pebblestate.OpenEngine(dir, pebblestate.Options{Volatile: true, Budget: memory})
	if err != nil {
		return nil, err
	}
	s, err := e.Store(1)
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return volatileState{s, e}, nil
}

// Close closes the store and its files.
func (v volatileState) Close() error { return errors.Join(v.Store.Close(), v.engine.Close()) }
