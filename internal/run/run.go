// Package run is `leat run`: the engine without a server, over files and pipes. A script's statements chain, the last one is printed.
package run

import (
	"context"
	"io"
	"math/rand/v2"

	"leat/internal/engine/expr"
	"leat/internal/sql/bind"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/types"
)

// Source names a file that fills a stream or table; "-" is Stdin.
type Source struct{ Name, Path string }

// Options of Run. Script is required, and so are Binder, Evaluator and State.
type Options struct {
	// Script holds CREATE STREAM, TABLE, VIEW and MATERIALIZED VIEW statements and a SELECT; the last view or SELECT is printed.
	Script string
	// Inputs fill streams, Tables tables: a record upserts its key, with "_op":"d" it deletes it.
	Inputs, Tables []Source
	// Watermarks are texts such as "bid.date_time - INTERVAL 4 SECONDS"; the stream may be left out where there is one.
	Watermarks []string
	// Format is ndjson, csv or parquet.
	Format string
	// Changes prints every change with its weight, in a first column _weight, instead of the rows at the end.
	Changes bool
	// Step is how many records of one input make a step; 0 is as many as are at hand.
	Step int
	// Tap, if set, sees each relation with nil, then the records that become steps, in order and with all their columns, and each
	// one's watermark if its stream has any: for tests.
	Tap func(rel *plan.Relation, records *types.Batch, watermarks []int64)
	// Shuffle, if set, makes steps of a few records of an input picked at random: for tests.
	Shuffle *rand.Rand
	// Follow goes on at the end of a file as it grows, and prints changes until ctx ends.
	Follow bool
	// NoClose leaves windows open at the end of the input.
	NoClose bool
	// Explain prints the plan instead of running it.
	Explain bool

	Stdin          io.Reader
	Stdout, Stderr io.Writer

	Binder    *bind.Binder
	Evaluator expr.Evaluator
	// State opens the store of the run's arrangements, which the run closes.
	State func() (state.Store, error)
}

// Run runs a script to the end of its inputs, or until ctx ends where it follows. Records that can't be used and rows in which an
// expression fails are told on Stderr and counted; they end nothing.
func Run(ctx context.Context, o Options) error {
	s, err := newScript(ctx, o)
	if err != nil {
		return err
	}
	defer s.close()
	q, err := s.bind(ctx)
	if err != nil {
		return err
	}
	if o.Explain {
		return q.explain(o.Stdout)
	}
	return q.run(ctx)
}
