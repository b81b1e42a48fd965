package query

import (
	"context"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"leat/internal/catalog"
	"leat/internal/query/fast"
	"leat/internal/sql/guard"
	"leat/internal/sql/plan"
	"leat/internal/store"
	"leat/internal/types"
)

// Planner binds SELECTs that the guard has let pass, for the fast path.
type Planner interface {
	// BindQuery is bind.BindQuery with names of the definitions.
	BindQuery(ctx context.Context, text string, definitions *catalog.Snapshot) (plan.Node, error)
}

// Bounds of what is known of a statement's ways.
const (
	// maxWays is for how many combinations of types of parameters one statement keeps plans; others go to the store.
	maxWays = 8
	// retryWay is when it is asked again whether a statement can go the fast way which the store knew with other columns, since a definition was
	// just being changed.
	retryWay = time.Second
)

// ways are the plans of a statement by the types of its parameters: those that its text gives them, or those of their values.
type ways struct {
	known atomic.Pointer[[]*way]
	mu    sync.Mutex // one at a time makes a plan
}

// way is how a statement with parameters of these types is answered.
type way struct {
	types string
	// plan is nil where the store answers, for this reason.
	plan   *fast.Plan
	reason string
	// until is when this is to be found out again; zero is never.
	until time.Time
}

// way finds how a statement is answered; nil where that isn't known: then the store does.
func (s *Service) way(ctx context.Context, st *Statement, args map[string]any) *way {
	if s.Planner == nil || st.ways == nil || len(st.reads.live) != 1 || len(st.reads.stored) > 0 || st.verdict.Wide {
		return nil
	}
	key := ""
	if st.declared == nil {
		var ok bool
		if key, ok = typesOf(st.verdict.Params, args); !ok {
			return nil
		}
	}
	find := func() (*way, int) {
		known := st.ways.known.Load()
		if known == nil {
			return nil, 0
		}
		i := slices.IndexFunc(*known, func(w *way) bool { return w.types == key })
		if i < 0 || !(*known)[i].until.IsZero() && time.Now().After((*known)[i].until) {
			return nil, len(*known)
		}
		return (*known)[i], len(*known)
	}
	w, n := find()
	if w != nil || n >= maxWays {
		return w
	}
	st.ways.mu.Lock()
	defer st.ways.mu.Unlock()
	if w, _ = find(); w != nil {
		return w
	}
	if w = s.findWay(ctx, st, args); w == nil {
		return nil
	}
	w.types = key
	var all []*way
	if known := st.ways.known.Load(); known != nil {
		all = slices.DeleteFunc(slices.Clone(*known), func(old *way) bool { return old.types == key })
	}
	all = append(all, w)
	st.ways.known.Store(&all)
	return w
}

// fast answers a run from the engine's state; nil where the store has to.
func (s *Service) fast(ctx context.Context, st *Statement, m *moment, r Run) store.Rows {
	w := s.way(ctx, st, r.Args)
	if w == nil || w.plan == nil || m.pinned == nil {
		return nil
	}
	snap := m.pinned.View(w.plan.Relation)
	if snap == nil {
		return nil
	}
	rows := w.plan.Run(snap, r.Args, r.Limit)
	if rows == nil {
		return nil
	}
	return rows
}

// findWay plans a statement; nil where that fails for a reason that may pass.
func (s *Service) findWay(ctx context.Context, st *Statement, args map[string]any) *way {
	declared, text := st.declared, st.verdict.SQL
	if declared == nil {
		declared = map[string]types.Type{}
		for _, name := range st.verdict.Params {
			declared[strings.ToLower(name)], _ = typeOf(argument(args[name]))
		}
		text = guard.WithCasts(text, declared)
	}
	node, err := s.Planner.BindQuery(ctx, text, s.Catalog())
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return &way{reason: "it is more than a look-up, a range or a filter of one view or table"}
	}
	p, reason := fast.New(node, declared)
	if p == nil {
		return &way{reason: reason}
	}
	columns, err := s.typedColumns(ctx, st, text)
	if ctx.Err() != nil {
		return nil
	}
	// A ? has no cast: it must have been found to be of its value's type, or of one that text is compared as.
	for _, a := range p.Params {
		d := declared[strings.ToLower(a.Name)]
		if st.declared == nil && text == st.verdict.SQL && !a.Type.Equal(d) && (d.Kind != types.Varchar || a.Type.Kind.IsNumeric()) {
			return &way{reason: "the store converts the parameter " + a.Name + " to " + a.Type.String()}
		}
	}
	if err != nil || !p.Named(columns) {
		st.described.forget() // maybe of definitions that the store didn't have yet
		return &way{reason: "the store finds other types for its columns", until: time.Now().Add(retryWay)}
	}
	return &way{plan: p}
}

// typedColumns are those of a statement's result where its parameters have the types that they have in text; names are those of its own text.
func (s *Service) typedColumns(ctx context.Context, st *Statement, text string) ([]types.Column, error) {
	d, err := s.describe(ctx, st)
	if text == st.verdict.SQL {
		if err != nil {
			return nil, err
		}
		return d.Columns, nil
	}
	typed, terr := s.Store.(store.Describer).Describe(ctx, text)
	if terr != nil {
		return nil, terr
	}
	for i, c := range typed.Columns {
		switch {
		case err == nil && len(d.Columns) == len(typed.Columns):
			typed.Columns[i].Name = d.Columns[i].Name
		case strings.Contains(c.Name, "CAST("): // maybe one that only text has
			return nil, types.Errorf(types.Unsupported, "the names of columns depend on the types of parameters")
		}
	}
	return typed.Columns, nil
}

// typeOf is the SQL type in which the store is given a value.
func typeOf(v any) (types.Type, bool) {
	switch v.(type) {
	case bool:
		return types.Of(types.Boolean), true
	case int32:
		return types.Of(types.Integer), true
	case int, int64:
		return types.Of(types.BigInt), true
	case uint64:
		return types.Of(types.UBigInt), true
	case float64:
		return types.Of(types.Double), true
	case string:
		return types.Of(types.Varchar), true
	case []byte:
		return types.Of(types.Blob), true
	case time.Time:
		return types.Of(types.TimestampTZ), true
	case *big.Int:
		return types.Of(types.HugeInt), true
	}
	return types.Type{}, false
}

// typesOf tells apart calls whose parameters have other types; false where one has none, as NULL has.
func typesOf(names []string, args map[string]any) (string, bool) {
	if len(names) == 0 {
		return "", true
	}
	b := make([]byte, 0, 16)
	for _, name := range names {
		v, ok := args[name]
		if _, number := v.(json.Number); number {
			v = argument(v)
		}
		t, typed := typeOf(v)
		if !ok || !typed {
			return "", false
		}
		b = append(b, byte(t.Kind))
	}
	return string(b), true
}
