package fuzzsql

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"leat/internal/engine/circuit"
	"leat/internal/engine/expr"
	"leat/internal/engine/lower"
	"leat/internal/engine/zset"
	"leat/internal/engine/zset/zsettest"
	"leat/internal/sql/bind"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/types"
	"leat/test/sqltest"
)

// Case is a query over a log, in steps.
type Case struct {
	Seed   uint64
	rels   []*relation
	query  *sel
	text   string // of the query, in a case that was read from a file
	Events []event
	// Steps are how many events each step takes; every Every steps both sides are compared.
	Steps []int
	Every int
	// Close holds rows back until their window, whose end is the column c1, has closed.
	Close bool
}

// Query is the text that the engine gets.
func (c *Case) Query() string {
	if c.query == nil {
		return c.text
	}
	return c.query.text()
}

// Outcome is what became of a case.
type Outcome struct {
	// Refused is the engine's, Skipped DuckDB's error: of a row, which the engine leaves out.
	Refused, Skipped error
	// Difference is "" where both sides agree, else what differs and after which step.
	Difference string
	Rows       int
}

// checker runs cases.
type checker struct {
	engine *sqltest.Engine
	batch  *sqltest.Batch
}

// run compares the two sides of a case; an error is of neither.
func (k *checker) run(c *Case) (o Outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			o.Difference = fmt.Sprintf("panic: %v", r)
		}
	}()
	if err := k.batch.Reset(); err != nil {
		return o, err
	}
	logs := map[string]*log{}
	for i, r := range c.rels {
		rel := r.plan(types.ObjectID(i + 1))
		logs[r.name] = newLog(rel)
		if err := k.batch.Define(rel); err != nil {
			return o, err
		}
	}
	resolve := func(name string) (bind.Source, error) {
		if l := logs[name]; l != nil {
			return bind.Source{Relation: l.rel}, nil
		}
		return bind.Source{}, types.Errorf(types.UnknownRelation, "no %s", name)
	}
	node, err := k.engine.Binder.Bind(context.Background(), c.Query(), resolve)
	if err == nil && c.Close {
		node, err = opt.Close(node)
	}
	if err == nil {
		node, err = opt.Optimize(node, opt.Options{Fallible: expr.Fallible})
	}
	if err != nil {
		o.Refused = err
		return o, nil
	}
	store, err := k.engine.State()
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return k.steps(c, node, store, logs)
}

// trial is a case at work.
type trial struct {
	*checker
	c       *Case
	node    plan.Node
	batch   string
	logs    map[string]*log
	circuit *circuit.Circuit
	have    rows
	// at is how many events both sides have had, failed why the engine left out a row.
	at     int
	failed *types.Error
	out    Outcome
}

// steps feeds both sides.
func (k *checker) steps(c *Case, node plan.Node, store state.Store, logs map[string]*log) (Outcome, error) {
	low, err := lower.Lower([]lower.View{{Plan: node}}, store, k.engine.Evaluator)
	if err != nil {
		return Outcome{Refused: err}, nil //nolint:nilerr // it is what came out
	}
	batch, err := k.batch.Rewrite(forBatch(c.Query()))
	if err != nil {
		return Outcome{Skipped: err}, nil //nolint:nilerr // it is what came out
	}
	t := &trial{checker: k, c: c, node: node, batch: batch, logs: logs, circuit: low.Circuit, have: rows{}}
	for i, n := range append(slices.Clone(c.Steps), len(c.Events)) {
		from := t.at
		t.at = min(t.at+n, len(c.Events))
		in, err := k.take(c.Events[from:t.at], logs, low.Circuit.Sources())
		if err != nil {
			return t.out, err
		}
		t.step(in)
		if i%c.Every == c.Every-1 || t.at == len(c.Events) {
			t.compare()
		}
		if t.at == len(c.Events) || t.out != (Outcome{Rows: t.out.Rows}) {
			break
		}
	}
	if c.Close && t.out == (Outcome{Rows: t.out.Rows}) {
		t.end()
	}
	return t.out, nil
}

// step gives the engine one step.
func (t *trial) step(in []circuit.Input) {
	out, err := t.circuit.Step(in, 0)
	if err != nil {
		t.out.Difference = fmt.Sprintf("after %d events: the engine failed: %v", t.at, err)
		return
	}
	if len(out.Failed) > 0 && t.failed == nil {
		t.failed = out.Failed[0].Reason
	}
	t.have.add(out.Deltas[0])
}

// end closes all windows.
func (t *trial) end() {
	in := make([]circuit.Input, len(t.circuit.Sources()))
	for i := range in {
		in[i].Watermark = math.MaxInt64
	}
	for _, l := range t.logs {
		l.watermark = math.MaxInt64
	}
	t.step(in)
	t.compare()
}

// compare sets the outcome if both sides are not the same.
func (t *trial) compare() {
	query := t.batch
	if t.c.Close {
		query = "SELECT * FROM (" + query + ") WHERE " + t.closed()
	}
	want, err := t.want(query, t.logs, t.node.Fields())
	if err != nil {
		t.out.Skipped = err
		return
	}
	t.out.Rows = max(t.out.Rows, len(want))
	switch d := t.have.diff(want); {
	case d != "" && t.failed != nil && (!strings.Contains(t.c.Query(), "/*<*/") || strings.Contains(t.failed.Message, "overflow")):
		// DuckDB computes less than a query says: where a condition is false anyway, it meets no overflow.
		t.out.Skipped = t.failed
	case d != "" && t.out.Difference == "":
		t.out.Difference = fmt.Sprintf("after %d events:\n%s", t.at, d)
	}
}

// closed is the condition that the window of a row has closed: for all streams that the query reads.
func (t *trial) closed() string {
	wm := int64(math.MaxInt64)
	for _, s := range t.circuit.Sources() {
		if s.Relation.Kind == plan.StreamRelation {
			wm = min(wm, t.logs[s.Relation.Name].watermark)
		}
	}
	switch wm {
	case types.NoWatermark:
		return "false"
	case math.MaxInt64:
		return "true"
	}
	return fmt.Sprintf("c1 <= make_timestamp(%d)", wm)
}

// take gives events to DuckDB and returns the engine's inputs.
func (k *checker) take(es []event, logs map[string]*log, sources []circuit.Source) ([]circuit.Input, error) {
	in := make([]circuit.Input, len(sources))
	for name, l := range logs {
		b, err := l.batch(es)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for i, s := range sources {
			if s.Relation == l.rel {
				in[i] = circuit.Input{Batch: l.input(b, s), Watermark: l.watermark}
			}
		}
		l.taken += int64(b.Rows())
		l.keep(b)
	}
	return in, nil
}

// append gives DuckDB what a relation took since the last time.
func (k *checker) append(l *log) error {
	if len(l.kept) == 0 {
		return nil
	}
	b := zset.Concat(l.columns, l.kept...)
	err := k.batch.Append(l.rel, arrays(b), b.N, sqltest.Stamps{First: l.taken - int64(b.N), Watermarks: l.keptMarks, Weights: b.W})
	l.kept, l.keptMarks = nil, nil
	return err
}

// input is a batch as a source wants it.
func (l *log) input(b *zset.Batch, s circuit.Source) *zset.Batch {
	if b.Rows() == 0 {
		return nil
	}
	out := &zset.Batch{N: b.N, W: b.W}
	for _, c := range s.Columns {
		out.Cols = append(out.Cols, b.Cols[c])
	}
	for _, sys := range s.System {
		v := zset.NewBuilder([]types.Type{plan.SystemType(sys)})
		for i := range b.N {
			switch sys {
			case plan.Watermark:
				v.AppendInt64(0, l.watermarks[i])
			case plan.Offset:
				v.AppendWide(0, sqltest.Wide(l.taken+int64(i)))
			default:
				v.AppendInt64(0, 0)
			}
			v.EndRow(1)
		}
		out.Cols = append(out.Cols, v.Finish().Cols[0])
	}
	return out
}

// want runs the query as a batch.
func (k *checker) want(query string, logs map[string]*log, fields []plan.Field) (rows, error) {
	for _, l := range logs {
		if err := k.append(l); err != nil {
			return nil, fmt.Errorf("giving DuckDB %s: %w", l.rel.Name, err)
		}
	}
	want := rows{}
	err := k.batch.Each(query, func(columns []types.Column, b *zset.Batch) error {
		for i, c := range columns {
			if i >= len(fields) || !c.Type.Equal(fields[i].Type) {
				want["column "+strconv.Itoa(i)+" is "+c.Type.String()] = 1
			}
		}
		want.add(b)
		return nil
	})
	return want, err
}

// rows are printed rows with their weights.
type rows map[string]int64

func (r rows) add(b *zset.Batch) {
	for i := range b.Rows() {
		row := printed(b, i)
		if r[row] += b.Weight(i); r[row] == 0 {
			delete(r, row)
		}
	}
}

// printed prints a row; doubles to ten digits, as the order of sums is not the same, and -0 as 0.
func printed(b *zset.Batch, i int) string {
	parts := make([]string, len(b.Cols))
	for c, v := range b.Cols {
		switch {
		case v.F64 != nil && !v.Null(i):
			parts[c] = rounded(v.F64[i])
		default:
			parts[c] = zsettest.Print(v, i)
		}
	}
	return strings.ReplaceAll(strings.Join(parts, ", "), "-0,", "0,")
}

func rounded(x float64) string {
	if x == 0 || math.Abs(x) < 1e-12 {
		return "0"
	}
	return strconv.FormatFloat(x, 'g', 10, 64)
}

func (r rows) diff(want rows) string {
	var out []string
	for row, n := range want {
		if r[row] < n {
			out = append(out, fmt.Sprintf("missing %d x (%s)", n-r[row], row))
		}
	}
	for row, n := range r {
		if n > want[row] {
			out = append(out, fmt.Sprintf("too much %d x (%s)", n-want[row], row))
		}
		if n < 0 {
			out = append(out, fmt.Sprintf("%d x (%s)", n, row))
		}
	}
	slices.Sort(out)
	if len(out) > 8 {
		out = append(out[:8], fmt.Sprintf("and %d more", len(out)-8))
	}
	return strings.Join(out, "\n")
}
