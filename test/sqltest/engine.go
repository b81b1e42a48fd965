// Package sqltest is what the tests share that run SQL through the engine and as a batch in DuckDB.
package sqltest

import (
	"errors"
	"path/filepath"
	"testing"

	"leat/internal/duck"
	"leat/internal/engine/expr"
	"leat/internal/sql/bind"
	"leat/internal/state"
	"leat/internal/state/pebblestate"
)

// Engine is what the engine needs besides its plans. It may be used from any goroutine.
type Engine struct {
	Binder    *bind.Binder
	Parser    *duck.Parser
	Evaluator expr.Evaluator
	dir       string
}

// NewEngine opens an engine that is closed with the test.
func NewEngine(tb testing.TB) *Engine {
	tb.Helper()
	planner, err := duck.NewPlanner()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(planner.Close)
	parser, err := duck.NewParser()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(parser.Close)
	ev, err := duck.NewEvaluator()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(ev.Close)
	return &Engine{bind.New(planner, parser), parser, expr.FromArrow(ev), tb.TempDir()}
}

// State opens a store that forgets.
func (e *Engine) State() (state.Store, error) {
	engine, err := pebblestate.OpenEngine(filepath.Join(e.dir, "state"), pebblestate.Options{Volatile: true, Budget: 64 << 20})
	if err != nil {
		return nil, err
	}
	s, err := engine.Store(1)
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return volatile{s, engine}, nil
}

type volatile struct {
	*pebblestate.Store
	engine *pebblestate.Engine
}

// Close closes the store and its files.
func (v volatile) Close() error { return errors.Join(v.Store.Close(), v.engine.Close()) }
