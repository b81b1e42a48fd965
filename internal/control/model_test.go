package control

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"leat/internal/auth"
	"leat/internal/bus"
	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/store"
	"leat/internal/types"
)

// configured is a log that remembers what it was told of each stream.
type configured struct {
	bus.Log
	streams map[types.ObjectID]bus.StreamConfig
}

func (c *configured) Configure(ctx context.Context, s bus.StreamConfig) error {
	err := c.Log.Configure(ctx, s)
	if err == nil {
		c.streams[s.ID] = s
	}
	return err
}

func (c *configured) Drop(ctx context.Context, id types.ObjectID) error {
	err := c.Log.Drop(ctx, id)
	if err == nil {
		delete(c.streams, id)
	}
	return err
}

// modelNames are few, so that scripts meet each other's objects.
var modelNames = []string{"a", "b", "c", "d"}

// anyScript is one to three statements, many of which are refused.
func anyScript(t *rapid.T) string {
	var script []string
	for range rapid.IntRange(1, 3).Draw(t, "statements") {
		name, other := rapid.SampledFrom(modelNames).Draw(t, "name"), rapid.SampledFrom(modelNames).Draw(t, "other")
		column, to := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "column"), rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "to")
		kind := rapid.SampledFrom([]string{"STREAM", "TABLE", "VIEW", "ENDPOINT"}).Draw(t, "kind")
		script = append(script, rapid.SampledFrom([]string{
			"CREATE STREAM " + name + " (x BIGINT, y INTEGER)",
			"CREATE OR REPLACE STREAM " + name + " (x BIGINT, y INTEGER, z VARCHAR) WITH (ttl = '1 day')",
			"CREATE TABLE IF NOT EXISTS " + name + " (x BIGINT, y TIMESTAMP, PRIMARY KEY (x), WATERMARK FOR y)",
			"CREATE OR REPLACE VIEW " + name + " AS SELECT * FROM " + other + " ",
			"CREATE OR REPLACE ENDPOINT " + name + " AS SELECT * FROM " + other + " ",
			"ALTER " + kind + " " + name + " RENAME TO " + other,
			"ALTER STREAM " + name + " RENAME TO spare; ALTER STREAM " + other + " RENAME TO " + name + "; ALTER STREAM spare RENAME TO " + other,
			"ALTER STREAM " + name + " RENAME " + column + " TO " + to,
			"ALTER STREAM " + name + " ADD IF NOT EXISTS " + column + " DOUBLE",
			"ALTER STREAM " + name + " DROP IF EXISTS " + column,
			"ALTER STREAM " + name + " ALTER " + column + " TYPE VARCHAR",
			"ALTER STREAM " + name + " ALTER " + column + " SET NOT NULL",
			"ALTER STREAM " + name + " SET (partitions = 3)",
			"DROP " + kind + " IF EXISTS " + name + ", " + other,
			"DROP " + kind + " " + name,
		}).Draw(t, "statement"))
	}
	return strings.Join(script, ";\n")
}

// model is a world under random scripts, with what must come of them.
type model struct {
	*world
	log *configured
	// rows are the appended ones of each stream that still is.
	rows map[types.ObjectID]types.Offset
	// broken is how many of the store's next changes work before one fails; negative is none.
	broken int
}

// Whatever scripts do, and whatever of log and store fails on the way, the catalog says what there is: after each statement that
// counts, and after a start that follows a failure.
func TestRandomScriptsKeepAllInAgreement(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := open(t)
		m := &model{world: w, log: &configured{w.log, map[types.ObjectID]bus.StreamConfig{}}, rows: map[types.ObjectID]types.Offset{}, broken: -1}
		w.Controller.Log = m.log
		w.store.fail = m.fail
		r.Repeat(map[string]func(*rapid.T){
			"script": func(r *rapid.T) { m.script(r, anyScript(r)) },
			"script with a failure": func(r *rapid.T) {
				m.broken = rapid.IntRange(0, 2).Draw(r, "works")
				m.script(r, anyScript(r))
				m.broken = -1
				m.start(r)
			},
			"crash":  func(r *rapid.T) { m.crash(r, anyScript(r)) },
			"append": m.append,
			"":       m.agree,
		})
	})
}

func (m *model) fail(string, []store.Relation) error {
	if m.broken--; m.broken == -1 {
		return types.Errorf(types.DiskFull, "injected")
	}
	return nil
}

func (m *model) start(r *rapid.T) {
	if err := m.Start(r.Context()); err != nil {
		r.Fatal(err)
	}
}

// script runs one; refused ones change nothing, but for those of which the error says that they count.
func (m *model) script(r *rapid.T, text string) {
	statements, err := ddl.Parse(text)
	if err != nil {
		r.Fatalf("%s: %v", text, err)
	}
	before := names(m.Catalog.Snapshot())
	_, err = m.Exec(r.Context(), auth.Local, Script{Text: text, Statements: statements})
	e := types.AsError(err)
	if e == nil {
		return
	}
	if e.Code == types.Internal {
		r.Fatalf("%s: %v", text, err)
	}
	counts := e.Code == types.Unavailable && strings.Contains(e.Message, "definitions are changed")
	if after := names(m.Catalog.Snapshot()); !counts && !slices.Equal(before, after) {
		r.Fatalf("%s: refused with %v, yet %v became %v", text, err, before, after)
	}
}

// names are the names, kinds and columns of all objects.
func names(s *catalog.Snapshot) []string {
	var out []string
	for _, o := range s.All() {
		columns := ""
		if o.Stream != nil {
			columns = o.Stream.Schema.String()
		}
		out = append(out, fmt.Sprintf("%d %s %s %s %v", o.ID, o.Kind, o.Name, columns, o.DependsOn))
	}
	slices.Sort(out)
	return out
}

// crash commits a script to the catalog as Exec does, stops there, and starts again.
func (m *model) crash(r *rapid.T, text string) {
	statements, err := ddl.Parse(text)
	if err != nil {
		r.Fatal(err)
	}
	p := &planner{c: m.Controller, ctx: r.Context(), who: auth.Local, script: text, draft: m.draft(), places: map[types.ObjectID]int{}}
	for _, st := range statements {
		if _, err := p.apply(st, p); err != nil {
			return
		}
	}
	ch := p.draft.change()
	if ch.empty() || p.check(ch) != nil {
		return
	}
	releases, err := m.record(r.Context(), ch)
	for _, release := range releases {
		release()
	}
	if err != nil {
		r.Fatal(err)
	}
	m.start(r)
}

// append puts a row into a stream.
func (m *model) append(r *rapid.T) {
	var streams []*catalog.Object
	for _, o := range m.Catalog.Snapshot().All() {
		if hasLog(o) {
			streams = append(streams, o)
		}
	}
	if len(streams) == 0 {
		r.Skip("no stream")
	}
	o := rapid.SampledFrom(streams).Draw(r, "stream")
	if _, err := m.log.Append(r.Context(), &bus.Append{NoSync: true, Parts: []bus.Part{{Partition: types.PartitionID{Stream: o.ID}, Batch: oneRow(o)}}}); err != nil {
		r.Fatal(err)
	}
	m.rows[o.ID]++
}

// oneRow is a batch with a row of NULLs.
func oneRow(o *catalog.Object) *types.Batch {
	b := &types.Batch{Schema: o.Stream.Schema, Rows: 1}
	for _, c := range o.Stream.Schema.Columns {
		b.Columns = append(b.Columns, array.MakeArrayOfNull(memory.DefaultAllocator, c.Type.Arrow(), 1))
	}
	if o.Kind == catalog.TableKind {
		b.Weights = []int64{1}
	}
	return b
}

// agree fails unless log and store have exactly what the catalog says, and every row that a kept stream was given.
func (m *model) agree(r *rapid.T) {
	objects := m.Catalog.Snapshot().All()
	relations, err := m.relations(r.Context(), objects, m.draft())
	if err != nil {
		r.Fatal(err)
	}
	if len(relations) != len(m.store.relations) {
		r.Fatalf("the store has %d relations, the catalog %d", len(m.store.relations), len(relations))
	}
	seen := map[types.ObjectID]bool{}
	for _, want := range relations {
		got := m.store.relations[want.ID]
		if got.Name != want.Name || got.Query != want.Query || got.TTL != want.TTL || (got.Schema == nil) != (want.Schema == nil) ||
			want.Schema != nil && got.Schema.String() != want.Schema.String() {
			r.Fatalf("the store has %+v, the catalog %+v", got, want)
		}
	}
	for _, o := range objects {
		if !hasLog(o) {
			continue
		}
		seen[o.ID] = true
		if m.log.streams[o.ID] != logConfig(o) {
			r.Fatalf("the log has %+v, the catalog %+v", m.log.streams[o.ID], logConfig(o))
		}
		b, err := m.world.log.Bounds(types.PartitionID{Stream: o.ID})
		if err != nil || b.End-b.Start < m.rows[o.ID] {
			r.Fatalf("log of %s: %+v, %v; %d rows were appended", o.Name, b, err, m.rows[o.ID])
		}
	}
	for id := range m.log.streams {
		if !seen[id] {
			r.Fatalf("the log still has stream %d", id)
		}
	}
	for id := range m.rows {
		if !seen[id] {
			delete(m.rows, id)
		}
	}
}
