// Package pgcatalog runs what PostgreSQL's clients ask of pg_catalog, as they send it, against the engine that answers.
package pgcatalog

import (
	"context"
	"testing"
	"time"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/duck"
	"leat/internal/pgwire/pgcatalog"
	"leat/internal/types"
)

func open(t testing.TB) (*pgcatalog.Catalog, *pgcatalog.Session) {
	t.Helper()
	meta, err := duck.NewMeta()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(meta.Close)
	parser, err := duck.NewParser()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(parser.Close)
	store, err := catalog.Open(t.TempDir(), catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	define(t, store)
	c := pgcatalog.New(pgcatalog.Options{
		Open: func() (pgcatalog.Engine, error) { return meta, nil }, Parser: parser, Definitions: store.Snapshot, Started: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Version: "test",
		System: func() []pgcatalog.Relation {
			return []pgcatalog.Relation{{Name: "objects", Columns: []types.Column{{Name: "id", Type: types.Of(types.BigInt)}, {Name: "name", Type: types.Of(types.Varchar)}}, Comment: "what is defined"}}
		},
		Columns: func(context.Context, *catalog.Object) ([]types.Column, error) {
			return []types.Column{{Name: "id", Type: types.Of(types.BigInt)}, {Name: "user_name", Type: types.Of(types.Varchar)}}, nil
		},
	})
	return c, &pgcatalog.Session{User: "app", Database: "leat", ApplicationName: "test", PID: 7, Principal: auth.Local}
}

// define makes the objects of the corpus: a stream, a table, a view and a materialized view.
func define(t testing.TB, store *catalog.Catalog) {
	t.Helper()
	text := types.Of(types.Varchar)
	schema := func(columns ...types.Column) *types.Schema {
		for i := range columns {
			columns[i].ID = int32(i + 1)
		}
		return &types.Schema{Version: 1, Columns: columns, NextID: int32(len(columns) + 1)}
	}
	_, err := store.Update(t.Context(), func(tx *catalog.Tx) error {
		for _, o := range []*catalog.Object{
			{Kind: catalog.StreamKind, Name: "events", Stream: &catalog.Stream{Partitions: 1, Description: "what users do", Schema: schema(
				types.Column{Name: "id", Type: types.Of(types.BigInt), NotNull: true}, types.Column{Name: "user_name", Type: text},
				types.Column{Name: "ts", Type: types.Of(types.TimestampTZ)}, types.Column{Name: "amount", Type: types.DecimalOf(10, 2)},
				types.Column{Name: "tags", Type: types.ListOf(text)})}},
			{Kind: catalog.TableKind, Name: "users", Stream: &catalog.Stream{Partitions: 1, PrimaryKey: []int32{1}, Schema: schema(
				types.Column{Name: "id", Type: types.Of(types.BigInt), NotNull: true}, types.Column{Name: "name", Type: text, NotNull: true})}},
			{Kind: catalog.ViewKind, Name: "plain", View: &catalog.View{Query: "SELECT id, user_name FROM events"}},
			{Kind: catalog.ViewKind, Name: "totals", LastIndex: 1, Indexes: []catalog.Index{{ID: 1, Name: "totals_ix", Columns: []int32{2}}}, View: &catalog.View{Query: "SELECT user_name, sum(amount) AS total FROM events GROUP BY user_name",
				Materialized: &catalog.Materialized{Key: []int{0}, Schema: schema(types.Column{Name: "user_name", Type: text}, types.Column{Name: "total", Type: types.DecimalOf(38, 2)})}}},
		} {
			o.ID = tx.NewID()
			if err := tx.Put(o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
