// Package fuzzsql draws random schemas, change logs and queries, and holds what the engine makes of them in random steps against what
// DuckDB makes of the input so far.
package fuzzsql

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// kind is what a column is to the generator: more than its type where not all expressions may have it.
type kind uint8

const (
	// key is a BIGINT of few values, to join by.
	key kind = iota
	integer
	bigint
	double
	decimal
	text
	boolean
	date
	timestamp
	// eventTime is the time of a stream with a watermark: comparing two of them would make late rows of some.
	eventTime
	kinds
)

var typeOf = [kinds]types.Type{
	key: types.Of(types.BigInt), integer: types.Of(types.Integer), bigint: types.Of(types.BigInt), double: types.Of(types.Double),
	decimal: {Kind: types.Decimal, Precision: 10, Scale: 2}, text: types.Of(types.Varchar), boolean: types.Of(types.Boolean),
	date: types.Of(types.Date), timestamp: types.Of(types.Timestamp), eventTime: types.Of(types.Timestamp),
}

// column is one that expressions may name.
type column struct {
	name string
	kind kind
}

// relation is a stream or table of a case.
type relation struct {
	name    string
	columns []column
	// keyed is how many of the columns are a table's key, 0 for a stream; delay is a stream's behind its watermark, negative without one.
	keyed int
	delay time.Duration
}

func (r *relation) watermarked() bool { return r.delay >= 0 }

// ddl is the statement that makes it.
func (r *relation) ddl() string {
	var parts []string
	for _, c := range r.columns {
		parts = append(parts, c.name+" "+typeOf[c.kind].String())
	}
	if r.keyed > 0 {
		var names []string
		for _, c := range r.columns[:r.keyed] {
			names = append(names, c.name)
		}
		return fmt.Sprintf("CREATE TABLE %s (%s, PRIMARY KEY (%s));", r.name, strings.Join(parts, ", "), strings.Join(names, ", "))
	}
	if r.watermarked() {
		parts = append(parts, fmt.Sprintf("WATERMARK FOR ts AS ts - INTERVAL '%d seconds'", int(r.delay.Seconds())))
	}
	return fmt.Sprintf("CREATE STREAM %s (%s);", r.name, strings.Join(parts, ", "))
}

// plan is the relation as the binder knows it.
func (r *relation) plan(id types.ObjectID) *plan.Relation {
	out := &plan.Relation{ID: id, Name: r.name, Partitions: 1, Schema: &types.Schema{Version: 1}}
	for i, c := range r.columns {
		out.Schema.Add(c.name, typeOf[c.kind], c.name)
		if i < r.keyed {
			out.Key = append(out.Key, out.Schema.Columns[i].ID)
		}
		if c.kind == eventTime {
			out.Time = types.TimeRule{Column: out.Schema.Columns[i].ID, Watermarked: true, Delay: r.delay}
		}
	}
	if r.keyed > 0 {
		out.Kind = plan.TableRelation
	}
	return out
}

// names of columns; k and ts are in all relations.
var names = [kinds]string{key: "k", integer: "i", bigint: "b", double: "d", decimal: "n", text: "v", boolean: "f", date: "dt", timestamp: "ts", eventTime: "ts"}

// schema draws two streams and a table.
func schema(r *rand.Rand) []*relation {
	watermarks := r.IntN(3) == 0
	out := []*relation{{name: "s", delay: -1}, {name: "u", delay: -1}, {name: "t", delay: -1}}
	for i, rel := range out {
		if i < 2 {
			rel.columns = append(rel.columns, column{"k", key})
			if watermarks {
				rel.delay = time.Duration(r.IntN(3)*3) * time.Second
			}
		} else {
			rel.keyed = 1 + r.IntN(2)
			rel.columns = append(rel.columns, column{"k", key}, column{"v", text})
		}
		for k := integer; k < timestamp; k++ {
			if r.IntN(2) == 0 && (i < 2 || k != text) {
				rel.columns = append(rel.columns, column{names[k], k})
			}
		}
		ts := timestamp
		if rel.watermarked() {
			ts = eventTime
		}
		rel.columns = append(rel.columns, column{"ts", ts})
	}
	return out
}
