package query

import (
	"context"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/types"
)

// Path is how a statement is answered at present.
type Path struct {
	// Fast says that the answer comes straight from the engine's state, else from the store.
	Fast bool
	// How says how rows are found, or why the store has to answer.
	How string
	// Hint is the statement that would make it fast, "" where there is none.
	Hint string
}

// String is one line.
func (p Path) String() string {
	switch {
	case p.Fast:
		return "path: fast (" + p.How + ")"
	case p.Hint != "":
		return "path: store because " + p.How + "; it would be fast after " + p.Hint
	}
	return "path: store because " + p.How
}

// EndpointPath tells how the calls of an endpoint are answered. One whose parameters have values that only the store can convert goes there all the same.
func (s *Service) EndpointPath(ctx context.Context, p auth.Principal, o *catalog.Object) (Path, error) {
	st, err := s.Endpoint(ctx, p, o)
	if err != nil {
		return Path{}, err
	}
	return s.path(ctx, st)
}

// TextPath tells how a SELECT is answered. Parameters are taken to have the types that it gives them.
func (s *Service) TextPath(ctx context.Context, p auth.Principal, sql string) (Path, error) {
	st, err := s.Prepare(ctx, Text{Principal: p, SQL: sql})
	if err != nil {
		return Path{}, err
	}
	return s.path(ctx, st)
}

func (s *Service) path(ctx context.Context, st *Statement) (Path, error) {
	switch {
	case st.verdict.Wide:
		return Path{How: "it reads columns that only the history in the store has"}, nil
	case len(st.reads.live)+len(st.reads.stored) > 1:
		return Path{How: "it reads several relations"}, nil
	case len(st.reads.live) == 0 && len(st.reads.stored) == 1:
		return Path{How: "it reads history, which is in the store"}, nil
	case len(st.reads.live) == 0:
		return Path{How: "it reads no table or materialized view"}, nil
	}
	args := map[string]any{}
	if st.declared == nil && len(st.verdict.Params) > 0 {
		d, err := s.describe(ctx, st)
		if err != nil {
			return Path{}, err
		}
		for _, name := range st.verdict.Params {
			args[name] = sampleOf(d.Params[name])
		}
	}
	w := s.way(ctx, st, args)
	switch {
	case w == nil:
		return Path{How: "the types of its parameters are not known"}, nil
	case w.plan == nil:
		return Path{How: w.reason}, nil
	}
	pinned, err := s.Live.Pin(ctx, st.reads.live)
	if err != nil {
		return Path{How: types.AsError(err).Message}, nil
	}
	defer pinned.Release()
	snap := pinned.View(w.plan.Relation)
	if snap == nil {
		return Path{How: "its rows are being built"}, nil
	}
	how, hint, ok := w.plan.Path(snap.Orders(), snap.Rows())
	return Path{Fast: ok, How: how, Hint: hint}, nil
}

// sampleOf is a value of the kind that callers give for a parameter of a type.
func sampleOf(t types.Type) any {
	switch k := t.Kind; {
	case k == types.Boolean:
		return false
	case k.IsInteger():
		return int64(0)
	case k == types.Float || k == types.Double:
		return 0.0
	}
	return ""
}
