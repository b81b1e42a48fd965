package query

import (
	"fmt"
	"strings"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/engine/zset"
	"leat/internal/push"
	"leat/internal/types"
)

// relationKey names the feed of a relation.
func relationKey(id types.ObjectID) string { return fmt.Sprintf("relation %d", id) }

// subscribable finds a relation whose changes the principal may follow, and which of its rows the principal sees.
func (s *Service) subscribable(snapshot *catalog.Snapshot, r *SubscribeRequest) (*catalog.Object, []Condition, error) {
	if !r.Principal.May(auth.Read, r.Relation) {
		return nil, nil, denied(r.Relation)
	}
	o := snapshot.ByName(r.Relation)
	switch {
	case o == nil || o.Kind == catalog.EndpointKind:
		return nil, nil, types.Errorf(types.NotFound, "there is no materialized view or table %.80q", r.Relation).WithHint("SHOW VIEWS lists them")
	case !s.Live.Serves(o.ID):
		return nil, nil, types.Errorf(types.InvalidArgument, "%q is no materialized view: its changes are not kept", r.Relation).
			WithHint("make one: CREATE MATERIALIZED VIEW v AS SELECT ... FROM %s", types.QuoteIdent(r.Relation))
	}
	conditions, err := Conditions(r.Principal, o)
	return o, conditions, err
}

// rowFilter keeps the rows that the subscriber asks for, of those that the principal may see.
func (s *Service) rowFilter(o *catalog.Object, shape push.Shape, conditions []Condition, where []KeyValue) (push.Filter, error) {
	var matches []push.Match
	never := false
	for _, c := range conditions {
		i := column(shape.Columns, c.Column.Name)
		if i < 0 || !shape.Columns[i].Type.Equal(c.Column.Type) {
			return push.Filter{}, types.Errorf(types.Unavailable, "%q is being defined anew", o.Name).WithHint("connect again")
		}
		if c.Value == nil {
			never = true
			continue
		}
		v := s.Feeds.Value(c.Column.Type, c.Text)
		if v == nil {
			return push.Filter{}, types.Errorf(types.PermissionDenied, "this token sees the rows of %q by their column %q, and its value for that is no %s",
				o.Name, c.Column.Name, c.Column.Type)
		}
		matches = append(matches, push.Match{Column: i, Value: v})
	}
	for _, w := range where {
		m, err := s.match(o, shape, w)
		if err != nil {
			return push.Filter{}, err
		}
		matches = append(matches, m)
	}
	if never {
		return push.Nothing(), nil
	}
	return push.NewFilter(matches), nil
}

// match reads a condition of the caller: column=value, or column.null for NULL.
func (s *Service) match(o *catalog.Object, shape push.Shape, w KeyValue) (push.Match, error) {
	c, text := column(shape.Columns, w.Column), w.Text
	if name, ok := strings.CutSuffix(w.Column, ".null"); c < 0 && ok {
		c, text = column(shape.Columns, name), nil
	}
	if c < 0 {
		e := types.Errorf(types.UnknownColumn, "%q has no column %.80q", o.Name, w.Column).WithHint("DESCRIBE %s lists its columns", types.QuoteIdent(o.Name))
		e.Path = w.Column
		return push.Match{}, e
	}
	t := shape.Columns[c].Type
	if t.Kind.IsNested() {
		return push.Match{}, types.Errorf(types.InvalidArgument, "rows can't be picked by column %s, which is %s", types.QuoteIdent(w.Column), t)
	}
	if text == nil {
		return push.Match{Column: c, Value: zset.Nulls(t, 1)}, nil
	}
	v := s.Feeds.Value(t, *text)
	if v == nil {
		e := types.Errorf(types.InvalidArgument, "column %s is %s, which %.60q is not", types.QuoteIdent(w.Column), t, *text)
		e.Path = w.Column
		return push.Match{}, e
	}
	return push.Match{Column: c, Value: v}, nil
}

// column finds a column by its name, else without regard to case; -1 is none.
func column(columns []types.Column, name string) int {
	folded := -1
	for i, c := range columns {
		if c.Name == name {
			return i
		}
		if folded < 0 && strings.EqualFold(c.Name, name) {
			folded = i
		}
	}
	return folded
}
