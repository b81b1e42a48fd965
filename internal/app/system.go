package app

import (
	"context"
	"time"

	"leat/internal/catalog"
	"leat/internal/ingest"
	"leat/internal/types"
)

// defineSystem makes the tables of leat_system and returns the names of all of them.
func (s *server) defineSystem() ([]string, error) {
	names := []string{ingest.DeadLetterName}
	define := func(name string, columns []types.Column, rows func(context.Context) ([][]any, error)) error {
		names = append(names, "leat_system."+name)
		return s.store.DefineSystem(name, columns, func() ([][]any, error) { return rows(context.Background()) })
	}
	for _, t := range s.control.SystemTables() {
		if err := define(t.Name, t.Columns, t.Rows); err != nil {
			return nil, err
		}
	}
	text, at := types.Of(types.Varchar), types.Of(types.TimestampTZ)
	objects := []types.Column{{Name: "id", Type: types.Of(types.BigInt)}, {Name: "name", Type: text}, {Name: "kind", Type: text}, {Name: "version", Type: types.Of(types.BigInt)}, {Name: "created_at", Type: at}}
	if err := define("objects", objects, s.objectRows); err != nil {
		return nil, err
	}
	if err := define("audit", auditColumns(), s.audit.rows); err != nil {
		return nil, err
	}
	jobs := []types.Column{{Name: "name", Type: text}, {Name: "started_at", Type: at}, {Name: "state", Type: text}, {Name: "error", Type: text}}
	return names, define("jobs", jobs, func(context.Context) ([][]any, error) { return s.jobs.rows(), nil })
}

func (s *server) objectRows(context.Context) ([][]any, error) {
	var rows [][]any
	for _, o := range s.catalog.Snapshot().All() {
		rows = append(rows, []any{int64(o.ID), o.Name, string(o.Kind), int64(o.Version), o.CreatedAt})
	}
	return rows, nil
}

// view is what GET /v1/jobs shows.
func (j *jobs) view() []jobView {
	out := []jobView{}
	for _, r := range j.rows() {
		out = append(out, jobView{Name: r[0].(string), Started: r[1].(time.Time).UTC().Format(time.RFC3339), State: r[2].(string), Error: r[3].(string)})
	}
	return out
}

// countKinds counts the objects of each kind.
func countKinds(s *catalog.Snapshot) map[catalog.Kind]int {
	out := map[catalog.Kind]int{}
	for _, o := range s.All() {
		out[o.Kind]++
	}
	return out
}
