package fuzzsql

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
	"leat/internal/sql/bind"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/sql/print"
	"leat/internal/types"
)

// traced is what became of the rows of one case.
type traced struct {
	refused error
	// rows were traced, loose of them to what may give other rows, narrow to less than all rows of all relations.
	rows, loose, narrow int
	difference          string
}

// TestTracedRows draws cases. Of some rows of each the query is run over the input rows alone that opt.TraceRows found, and must give them again.
func TestTracedRows(t *testing.T) {
	k := newChecker(t)
	next := *first
	if *seed != 0 {
		next = *seed
	} else if next == 0 {
		next = rand.Uint64() >> 16
	}
	t.Logf("the first seed is %d", next)
	var cases, refused int
	var all traced
	for end := time.Now().Add(min(*budget, 20*time.Second)); time.Now().Before(end); next++ {
		out, err := k.trace(Draw(next))
		if err != nil {
			t.Fatalf("seed %d: %v", next, err)
		}
		cases++
		if out.refused != nil {
			refused++
			continue
		}
		all.rows, all.loose, all.narrow = all.rows+out.rows, all.loose+out.loose, all.narrow+out.narrow
		if out.difference != "" {
			t.Errorf("seed %d: %s\n%s", next, Draw(next).Query(), out.difference)
			if all.difference += "x"; len(all.difference) > 4 {
				break
			}
		}
		if *seed != 0 {
			break
		}
	}
	t.Logf("%d cases, %d refused; %d rows, %d of them loosely, %d to less than all", cases, refused, all.rows, all.loose, all.narrow)
	if cases > 100 && (all.narrow*3 < all.rows || all.loose*3 > all.rows) {
		t.Errorf("few rows were traced to something")
	}
}

// trace takes all events of a case and traces some rows of its query.
func (k *checker) trace(c *Case) (out traced, err error) {
	if err := k.batch.Reset(); err != nil {
		return out, err
	}
	logs := map[string]*log{}
	for i, r := range c.rels {
		logs[r.name] = newLog(r.plan(types.ObjectID(i + 1)))
		if err := k.batch.Define(logs[r.name].rel); err != nil {
			return out, err
		}
	}
	node, err := k.engine.Binder.Bind(context.Background(), c.Query(), func(name string) (bind.Source, error) {
		if l := logs[name]; l != nil {
			return bind.Source{Relation: l.rel}, nil
		}
		return bind.Source{}, types.Errorf(types.UnknownRelation, "no %s", name)
	})
	if err == nil {
		node, err = opt.Optimize(node, opt.Options{Fallible: expr.Fallible})
	}
	if err != nil {
		return traced{refused: err}, nil //nolint:nilerr // it is what came out
	}
	query, err := k.batch.Rewrite(forBatch(c.Query()))
	if err != nil {
		return traced{refused: err}, nil //nolint:nilerr // it is what came out
	}
	if _, err := k.take(c.Events, logs, nil); err != nil {
		return out, err
	}
	for _, l := range logs {
		if err := k.append(l); err != nil {
			return out, err
		}
	}
	result, err := k.all(query)
	if err != nil {
		return traced{refused: err}, nil //nolint:nilerr // of a row, which the engine leaves out
	}
	r := rand.New(rand.NewPCG(c.Seed, 7))
	for range min(3, result.Rows()) {
		if out.difference != "" {
			break
		}
		if err := k.traceRow(&out, node, query, result, r.IntN(result.N), logs); err != nil {
			return out, err
		}
	}
	return out, nil
}

// all is the result of a query, nil for none.
func (k *checker) all(query string) (*zset.Batch, error) {
	var parts []*zset.Batch
	var kinds []types.Type
	err := k.batch.Each(query, func(columns []types.Column, b *zset.Batch) error {
		kinds = nil
		for _, c := range columns {
			kinds = append(kinds, c.Type)
		}
		sel := make([]int32, b.N)
		for i := range sel {
			sel[i] = int32(i)
		}
		parts = append(parts, zset.GatherBatch(b, sel)) // a copy
		return nil
	})
	if err != nil || len(parts) == 0 {
		return nil, err
	}
	return zset.Concat(kinds, parts...), nil
}

// traceRow compares the rows that have the key of one row with what the query gives over the rows that they are traced to.
func (k *checker) traceRow(out *traced, node plan.Node, query string, result *zset.Batch, row int, logs map[string]*log) error {
	key := opt.Infer(node).Key
	if key == nil {
		for i := range result.Cols {
			key = append(key, i)
		}
	}
	var conds []*plan.Expr
	for _, c := range key {
		value, ok := expr.Constant(result.Cols[c], row)
		if !ok || !result.Cols[c].Type.Equal(node.Fields()[c].Type) {
			return nil
		}
		conds = append(conds, &plan.Expr{Kind: plan.Compare, Name: "is not distinct from", Type: types.Of(types.Boolean), Args: []*plan.Expr{plan.Col(c, value.Type), value}, Place: -1})
	}
	var cond *plan.Expr
	if len(conds) > 0 {
		cond = &plan.Expr{Kind: plan.And, Type: types.Of(types.Boolean), Args: conds, Place: -1}
	}
	found := opt.TraceRows(node, []*plan.Expr{cond})
	out.rows++
	if len(found.Loose) > 0 {
		out.loose++
		return nil
	}
	if err := k.batch.Exec("BEGIN"); err != nil {
		return err
	}
	defer k.batch.Exec("ROLLBACK") // else the next BEGIN fails
	said, narrow := "", false
	for _, l := range logs {
		where, err := condition(found, l.rel)
		if err != nil {
			return err
		}
		narrow = narrow || where != "true"
		said += l.rel.Name + ": " + where + "\n"
		if err := k.batch.Exec(onlyRows(l.rel, where)); err != nil {
			return fmt.Errorf("%s\n%w", said, err)
		}
	}
	if narrow {
		out.narrow++
	}
	again, err := k.all(query)
	if err != nil {
		out.difference = fmt.Sprintf("%s\n%v", said, err)
		return nil
	}
	want, got := withKey(result, key, result, row), withKey(again, key, result, row)
	if d := got.diff(want); d != "" {
		out.difference = said + d
	}
	return nil
}

// withKey are the rows of a batch whose key is that of a row.
func withKey(b *zset.Batch, key []int, of *zset.Batch, row int) rows {
	out := rows{}
	for i := range b.Rows() {
		same := true
		for _, c := range key {
			same = same && zset.Compare(b.Cols[c], i, of.Cols[c], row) == 0
		}
		if same {
			out.add(b.Slice(i, i+1))
		}
	}
	return out
}

// condition is the text of what a trace needs of a relation.
func condition(t opt.Trace, rel *plan.Relation) (string, error) {
	i := slices.IndexFunc(t.Needs, func(n opt.Need) bool { return n.Relation.ID == rel.ID })
	if i < 0 {
		return "false", nil
	}
	var any []string
	for _, e := range t.Needs[i].Any {
		if e == nil {
			return "true", nil
		}
		text, err := print.Expr(e, func(i int) string {
			if i >= opt.SystemColumn {
				return "coalesce(_wm, '-infinity'::TIMESTAMP)"
			}
			return types.QuoteIdent(rel.Schema.Columns[i].Name)
		})
		if err != nil {
			return "", err
		}
		any = append(any, "coalesce(TRY("+text+"), false)")
	}
	return strings.Join(any, " OR "), nil
}

// onlyRows deletes the other rows of a stream, or the keys of the other rows of a table.
func onlyRows(rel *plan.Relation, where string) string {
	log := types.QuoteIdent(rel.Name + "$log")
	if rel.Kind != plan.TableRelation {
		return "DELETE FROM " + log + " WHERE NOT (" + where + ")"
	}
	var same []string
	for _, id := range rel.Key {
		name := types.QuoteIdent(rel.Schema.Columns[rel.Schema.IndexID(id)].Name)
		same = append(same, "kept."+name+" = "+log+"."+name)
	}
	return "DELETE FROM " + log + " WHERE NOT EXISTS (SELECT 1 FROM (SELECT * FROM " + types.QuoteIdent(rel.Name) + " WHERE " + where + ") kept WHERE " + strings.Join(same, " AND ") + ")"
}
