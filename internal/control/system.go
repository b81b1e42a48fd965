package control

import (
	"context"
	"slices"

	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// SystemTable is one table of the schema leat_system. Rows computes its present rows, with values as in Table.
type SystemTable struct {
	Name    string
	Columns []types.Column
	Rows    func(context.Context) ([][]any, error)
}

// SystemTables are streams, tables, views, endpoints, columns and indexes.
func (c *Controller) SystemTables() []SystemTable {
	shown, queries := columnsNamed(shownColumns), columnsNamed(queryColumns)
	list := func(name string, kind catalog.Kind, columns []types.Column, row func(*catalog.Object) []any) SystemTable {
		return SystemTable{name, columns, func(context.Context) ([][]any, error) {
			var rows [][]any
			for _, o := range c.Catalog.Snapshot().List(kind) {
				rows = append(rows, row(o))
			}
			return rows, nil
		}}
	}
	query := func(o *catalog.Object) []any {
		return []any{o.Name, createText(o), instant(o.CreatedAt)}
	}
	view := func(o *catalog.Object) []any { return append(c.viewRow(o), createText(o)) }
	return []SystemTable{
		list("streams", catalog.StreamKind, shown, c.showRow), list("tables", catalog.TableKind, shown, c.showRow),
		list("views", catalog.ViewKind, columnsNamed(append(slices.Clone(viewColumns), "statement")), view), list("endpoints", catalog.EndpointKind, queries, query),
		{"columns", columnsNamed(columnColumns), c.columnRows},
		{"indexes", columnsNamed(append(slices.Clone(indexesColumns), "statement")), c.allIndexRows},
	}
}

func (c *Controller) allIndexRows(context.Context) ([][]any, error) {
	var rows [][]any
	for _, o := range c.Catalog.Snapshot().All() {
		for i, row := range c.indexRows(o) {
			rows = append(rows, append(row, ddl.Print(indexStatement(o, o.Indexes[i]))))
		}
	}
	return rows, nil
}

func (c *Controller) columnRows(context.Context) ([][]any, error) {
	var rows [][]any
	for _, o := range c.Catalog.Snapshot().All() {
		for i, col := range describe(o).Columns {
			rows = append(rows, []any{o.Name, kindOf(o), int64(i + 1), col.Name, col.Type, !col.Null, col.Key, col.Note})
		}
	}
	return rows, nil
}
