package sqltest

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/run"
	"leat/internal/sql/ddl"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Script is a script for `leat run` and its input.
type Script struct {
	Text           string
	Inputs, Tables []run.Source
	Watermarks     []string
}

// Way is one way of running a script incrementally.
type Way struct {
	// Seed, if not 0, picks steps of 1 to 7 records of a random input.
	Seed uint64
	// Step is how many records a step has; 0 is all at hand.
	Step    int
	Changes bool
	// Taken, if set, keeps what the engine read.
	Taken *Taken
}

// Run returns what `leat run` prints, as NDJSON, and what it tells.
func (e *Engine) Run(tb testing.TB, s Script, w Way) (out, told string, err error) {
	tb.Helper()
	var stdout, stderr strings.Builder
	o := run.Options{
		Script: s.Text, Inputs: s.Inputs, Tables: s.Tables, Watermarks: s.Watermarks, Format: "ndjson", Stdin: strings.NewReader(""), Stdout: &stdout,
		Stderr: &stderr, Binder: e.Binder, Evaluator: e.Evaluator, State: e.State, Step: w.Step, Changes: w.Changes,
	}
	if w.Seed != 0 {
		o.Shuffle = rand.New(rand.NewPCG(w.Seed, 0))
	}
	if w.Taken != nil {
		o.Tap = w.Taken.tap
	}
	err = run.Run(context.Background(), o)
	return stdout.String(), stderr.String(), err
}

// Taken is what the relations of a run took.
type Taken struct{ pieces []piece }

type piece struct {
	rel        *plan.Relation
	records    *types.Batch
	watermarks []int64
}

func (t *Taken) tap(rel *plan.Relation, records *types.Batch, watermarks []int64) {
	t.pieces = append(t.pieces, piece{rel, records, watermarks})
}

// Run runs a script as a batch over what a run of it took, and returns the rows of its last query as NDJSON.
func (b *Batch) Run(text string, taken *Taken) (string, error) {
	if err := b.Reset(); err != nil {
		return "", err
	}
	rows := map[string]int64{}
	for _, p := range taken.pieces {
		if _, ok := rows[p.rel.Name]; !ok {
			if err := b.Define(p.rel); err != nil {
				return "", err
			}
			rows[p.rel.Name] = 0
		}
		if p.records == nil {
			continue
		}
		columns := append([]arrow.Array(nil), p.records.Columns...)
		if err := b.Append(p.rel, columns, p.records.Rows, Stamps{rows[p.rel.Name], p.watermarks, p.records.Weights}); err != nil {
			return "", err
		}
		rows[p.rel.Name] += int64(p.records.Rows)
	}
	return b.query(text)
}

// query defines the views of a script and runs its last statement.
func (b *Batch) query(text string) (string, error) {
	statements, err := ddl.Parse(text)
	if err != nil {
		return "", err
	}
	last := ""
	for _, st := range statements {
		var name string
		var columns []ddl.Ident
		var query ddl.Query
		switch st := st.(type) {
		case *ddl.CreateView:
			name, columns, query = st.Name.Name, st.Columns, st.Query
		case *ddl.CreateMaterializedView:
			name, columns, query = st.Name.Name, st.Columns, st.Query
			last = "SELECT * FROM " + types.QuoteIdent(name)
		case *ddl.Select:
			last = st.Query.Text
			continue
		default:
			continue
		}
		var names []string
		for _, c := range columns {
			names = append(names, c.Name)
		}
		if err := b.View(name, names, query.Text); err != nil {
			return "", err
		}
	}
	return b.NDJSON(last)
}
