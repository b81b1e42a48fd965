package duckdb

import (
	"context"
	"fmt"
	"strings"

	"leat/internal/store"
	"leat/internal/types"
)

// Find implements store.Finder.
func (s *Store) Find(ctx context.Context, q store.Search) (store.Rows, error) {
	r, ok := (*s.known.Load())[q.ID]
	if !ok || r.Schema == nil {
		return nil, types.Errorf(types.NotFound, "the store knows no stream or table with ID %d", q.ID)
	}
	return s.Query(ctx, store.Query{SQL: r.find(q), Args: q.Args, MaxRows: q.MaxRows})
}

// find is the text of a search.
func (r *relation) find(q store.Search) string {
	bounds := make([]string, 0, len(q.Below))
	for _, c := range q.Below {
		if c.Partition.Stream == r.ID {
			bounds = append(bounds, fmt.Sprintf("_partition = %d AND _offset < %d", c.Partition.Index, c.Next))
		}
	}
	if len(bounds) == 0 {
		bounds = append(bounds, "false")
	}
	within := "(" + strings.Join(bounds, " OR ") + ")"
	from, kept := r.rows(r.columns(), within), "true"
	if r.keyed() {
		from, kept = r.winnersOf(within), "_op > 0"
	}
	if r.TTL > 0 {
		kept += " AND _at > now() - " + interval(r.TTL)
	}
	columns := []string{"_partition AS _leat_partition", "_offset AS _leat_offset", "_at AS _leat_received_at"}
	for _, c := range r.Schema.Columns {
		columns = append(columns, columnName(c.ID)+` AS "`+strings.ReplaceAll(c.Name, `"`, `""`)+`"`)
	}
	where := ""
	if q.Where != "" {
		where = " WHERE (" + q.Where + ")"
	}
	return fmt.Sprintf("SELECT * EXCLUDE (_leat_wm) FROM (SELECT %s, coalesce(_wm::TIMESTAMP, TIMESTAMP '-infinity') AS _leat_wm FROM %s WHERE %s)%s ORDER BY _leat_partition, _leat_offset",
		strings.Join(columns, ", "), from, kept, where)
}

// winnersOf is winners among the rows that where lets through; "" is all.
func (r *relation) winnersOf(where string) string {
	list, all := r.keys(), r.rows(r.columns(), where)
	if r.Version != 0 {
		return fmt.Sprintf("(SELECT * FROM %s QUALIFY row_number() OVER (PARTITION BY %s ORDER BY %s DESC NULLS LAST, _offset DESC) = 1)",
			all, list, columnName(r.Version))
	}
	return fmt.Sprintf("(SELECT s.* FROM %s s JOIN (SELECT %s, max(_offset) AS _offset FROM %s GROUP BY ALL) w USING (%s, _offset))", all, list, all, list)
}
