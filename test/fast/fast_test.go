package fast

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/codec/encode"
	"leat/internal/duck"
	"leat/internal/endpoint"
	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/query/fast"
	"leat/internal/sql/bind"
	"leat/internal/sql/guard"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

var (
	seed    = flag.Uint64("seed", 0, "seed of the random queries; 0 draws one")
	queries = flag.Int("queries", 1500, "how many random queries to try")
)

// world has the same rows in DuckDB and in a view.
type world struct {
	conn   *duck.Conn
	binder *bind.Binder
	view   *op.ViewSnapshot
}

// newWorld opens DuckDB with the relation v and a plain view over it.
func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := duck.Open("", duck.Options{Schema: "public"})
	if err != nil {
		t.Fatal(err)
	}
	planner, err := duck.NewPlanner()
	if err != nil {
		t.Fatal(err)
	}
	parser, err := duck.NewParser()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Release(conn); db.Close(); planner.Close(); parser.Close() })
	return &world{conn: conn, binder: bind.New(planner, parser)}
}

func kinds() []types.Type {
	var out []types.Type
	for _, c := range columns {
		out = append(out, c.Type)
	}
	return out
}

// fill makes other rows, and a view of them that has keys and indexes of some sort.
func (w *world) fill(t *testing.T, r *rand.Rand) {
	t.Helper()
	var b strings.Builder
	b.WriteString("DROP VIEW IF EXISTS plain; DROP TABLE IF EXISTS v; CREATE TABLE v (")
	for i, c := range columns {
		b.WriteString([]string{"", ", "}[min(i, 1)] + types.QuoteIdent(c.Name) + " " + c.Type.String())
	}
	b.WriteString("); CREATE VIEW plain AS " + plainView + ";")
	g := generator{r: r}
	for n := range r.IntN(200) {
		b.WriteString([]string{"INSERT INTO v VALUES (", ", ("}[min(n, 1)])
		row := make([]string, len(columns))
		for i, c := range columns {
			switch {
			case r.IntN(8) == 0:
				row[i] = "NULL"
			case c.Type.Kind == types.List:
				row[i] = g.one("[]", "['a']", "['b', NULL]")
			default:
				row[i] = "CAST(" + types.QuoteLiteral(g.spelling(c.Type)) + " AS " + c.Type.String() + ")"
			}
		}
		b.WriteString(strings.Join(row, ", ") + ")")
	}
	b.WriteString(";")
	keys := [][]int{nil, nil, {0, 1, 5}, {5, 8}, {0}, {11, 0, 1, 2, 5}}
	key := keys[r.IntN(len(keys))]
	if key != nil {
		// One row for each key, by SQL's equality.
		names := make([]string, len(key))
		for i, c := range key {
			names[i] = types.QuoteIdent(columns[c].Name)
		}
		b.WriteString("CREATE TABLE u AS SELECT DISTINCT ON (" + strings.Join(names, ", ") + ") * FROM v; DELETE FROM v; INSERT INTO v FROM u; DROP TABLE u;")
	}
	if err := w.conn.Exec(t.Context(), b.String()); err != nil {
		t.Fatal(err)
	}
	w.load(t, r, key)
}

const plainView = "SELECT * FROM v WHERE n IS NOT NULL"

// load makes the view of what DuckDB has.
func (w *world) load(t *testing.T, r *rand.Rand, key []int) {
	t.Helper()
	store, id := memstate.New(), state.TableID(0)
	tables := func() state.Table { id++; return store.Table(id) }
	var view *op.View
	if key == nil && r.IntN(3) == 0 {
		view = op.NewViewLog(kinds(), tables)
	} else {
		view = op.NewView(kinds(), key, tables)
	}
	for i := range r.IntN(4) {
		ix := op.Index{ID: uint32(i + 1)}
		for range 1 + r.IntN(3) {
			c := min(r.IntN(len(columns)), r.IntN(len(columns)))
			if !columns[c].Type.Kind.IsNested() && !slices.Contains(ix.Columns, c) {
				ix.Columns = append(ix.Columns, c)
			}
		}
		if len(ix.Columns) > 0 {
			view.AddIndex(ix, tables(), true)
		}
	}
	rows, err := w.conn.Query(t.Context(), "SELECT * FROM v", nil, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for {
		rec, err := rows.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if rec == nil {
			break
		}
		if _, err := view.Apply(batchOf(t, rec)); err != nil {
			t.Fatal(err)
		}
	}
	if w.view != nil {
		w.view.Close()
	}
	w.view = view.Snapshot()
}

// batchOf copies a record.
func batchOf(t *testing.T, rec arrow.RecordBatch) *zset.Batch {
	t.Helper()
	b := &zset.Batch{N: int(rec.NumRows())}
	sel := make([]int32, b.N)
	for i := range sel {
		sel[i] = int32(i)
	}
	for i, c := range columns {
		v, err := zset.FromArrow(c.Type, rec.Column(i))
		if err != nil {
			t.Fatal(err)
		}
		b.Cols = append(b.Cols, zset.Gather(v, sel))
	}
	return b
}

func (w *world) resolve(name string) (bind.Source, error) {
	switch name {
	case "v":
		return bind.Source{Relation: &plan.Relation{ID: 7, Name: "v", Kind: plan.ViewRelation, Schema: &types.Schema{Version: 1, Columns: columns}}}, nil
	case "plain":
		return bind.Source{Query: plainView}, nil
	}
	return bind.Source{}, types.Errorf(types.UnknownRelation, "there is no %s", name)
}

// result is an answer as text: its columns, then its rows.
func result(rows encode.Rows) (lines []string, err error) {
	var b bytes.Buffer
	for _, c := range rows.Columns() {
		fmt.Fprintf(&b, "%q %s, ", c.Name, c.Type)
	}
	b.WriteByte('\n')
	err = encode.Encode(context.Background(), &b, encode.Format{Name: "csv"}, rows, encode.Options{})
	return strings.Split(b.String(), "\n"), err
}

// difference is the first line in which two answers differ.
func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("; line %d is\n    %s\n  not\n    %s", i, got[i], want[i])
		}
	}
	return ""
}

// TestFastIsTheStore answers random queries both ways.
func TestFastIsTheStore(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("seed %d", s)
	r := rand.New(rand.NewPCG(s, s))
	w := newWorld(t)
	answered, reasons, bad := 0, map[string]int{}, 0
	for i := 0; i < *queries && bad < 5; i++ {
		if i%50 == 0 {
			w.fill(t, r)
		}
		g := generator{r: r}
		text, total := g.query()
		text = guard.WithCasts(text, g.params)
		args := map[string]any{}
		for name, sent := range g.args {
			if sent == nil {
				args[name] = nil
				continue
			}
			v, err := endpoint.Value(g.params[name], *sent)
			if err != nil {
				v = *sent
			}
			args[name] = v
		}
		limit := 1_000_000
		if total && r.IntN(4) == 0 {
			limit = r.IntN(10)
		}
		reason, why := w.try(t.Context(), text, g.params, args, limit, total)
		if reason == "" {
			answered++
		} else {
			reasons[reason]++
		}
		if why != "" {
			bad++
			t.Errorf("%s\n  %v, at most %d rows, orders %v\n  %s", text, args, limit, w.view.Orders(), why)
		}
	}
	t.Logf("%d answered, %d left to the store", answered, *queries-answered)
	for reason, n := range reasons {
		if n > *queries/100 {
			t.Logf("%6d %s", n, reason)
		}
	}
	if answered < *queries/2 && bad == 0 {
		t.Errorf("only %d of %d queries were answered", answered, *queries)
	}
}

// try answers a query both ways: reason says why the fast one was not taken, why in what the answers differ.
func (w *world) try(ctx context.Context, text string, params map[string]types.Type, args map[string]any, limit int, total bool) (reason, why string) {
	node, err := w.binder.BindQuery(ctx, text, w.resolve)
	if err != nil {
		return "bind: " + err.Error(), ""
	}
	p, reason := fast.New(node, params)
	if p == nil {
		return reason, ""
	}
	described, _, err := w.conn.Describe(ctx, text)
	if err != nil || !p.Named(described) {
		return fmt.Sprint("other columns ", described, p.Columns, err), ""
	}
	rows := p.Run(w.view, args, limit)
	if rows == nil {
		return "left while it ran", ""
	}
	got, err := result(rows)
	if err != nil {
		return "", err.Error()
	}
	res, err := w.conn.Query(ctx, text, args, limit)
	if err != nil {
		return "the store fails: " + string(types.AsError(err).Code), ""
	}
	defer res.Close()
	want, err := result(res)
	if err != nil {
		return "the store fails: " + string(types.AsError(err).Code), ""
	}
	if !total {
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(got, want) || rows.Truncated() != res.Truncated() {
		return "", fmt.Sprintf("fast: %d lines (cut: %v), store: %d (cut: %v)%s", len(got), rows.Truncated(), len(want), res.Truncated(), difference(got, want))
	}
	return "", ""
}
