package query

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/endpoint"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

// Text is a SELECT and who asks.
type Text struct {
	Principal auth.Principal
	// SQL is the text of the SELECT. It stands at Offset in Script, to which places in errors refer; an empty Script is SQL itself.
	SQL    string
	Script string
	Offset int
}

// Statement is a SELECT that has passed the guard, for a principal who may read what it reads. It is immutable, and any goroutine may run it, also
// when definitions have changed: it is then prepared again.
type Statement struct {
	text    Text
	verdict *guard.Verdict
	reads   reads
	// declared are the types of the parameters, where the text gives them theirs; nil where they are those of the values.
	declared map[string]types.Type
	// ways and described are shared by all copies.
	ways      *ways
	described *described
	// catalog is the version of the definitions that it was made with.
	catalog uint64
	// sum is one of the process, the definitions and the text.
	sum [sha256.Size]byte
	// endpoint is the name of the endpoint whose query it is, or "", and object its definition.
	endpoint string
	object   *catalog.Object
}

// Params are the names of the statement's parameters, sorted; positional ones are "1", "2", ...
func (st *Statement) Params() []string { return st.verdict.Params }

// statementKey finds a statement.
type statementKey struct {
	endpoint string
	text     string
	filters  string
}

// Prepare checks a SELECT. What it finds is kept for the next call with the same text.
func (s *Service) Prepare(ctx context.Context, t Text) (*Statement, error) {
	if t.Principal.Filtered() {
		return nil, types.Errorf(types.PermissionDenied, "this token sees some rows only, so it may not run SQL of its own").
			WithHint("call endpoints, or look rows up by key: GET /openapi.json lists what there is")
	}
	st, err := s.prepare(ctx, t, "")
	if err != nil {
		return nil, t.place(err)
	}
	return st, authorise(t.Principal, st.verdict)
}

// prepare checks a SELECT without asking who may read what.
func (s *Service) prepare(ctx context.Context, t Text, endpoint string) (*Statement, error) {
	snapshot := s.Catalog()
	key := statementKey{endpoint, t.SQL, filterShape(t.Principal)}
	if st, ok := s.statements.Get(key); ok {
		if st, ok := s.renewed(st, snapshot); ok {
			s.statements.Add(key, st)
			mine := *st
			mine.text = t
			return &mine, nil
		}
	}
	v, err := s.check(ctx, t, snapshot)
	if err != nil {
		return nil, err
	}
	st := &Statement{verdict: v, reads: s.reads(snapshot, v), catalog: snapshot.Version(), endpoint: endpoint, ways: &ways{}, described: &described{}}
	st.declare(snapshot)
	st.sum = sha256.Sum256(fmt.Appendf(nil, "%x %d %s", s.nonce, st.catalog, v.SQL))
	if len(t.SQL) <= maxCachedText {
		s.statements.Add(key, st)
	}
	mine := *st
	mine.text = t
	return &mine, nil
}

// renewed is a statement for newer definitions; false where they make another one of it.
func (s *Service) renewed(st *Statement, snapshot *catalog.Snapshot) (*Statement, bool) {
	if st.catalog == snapshot.Version() {
		return st, true
	}
	if st.endpoint != "" && (st.object == nil || snapshot.ByName(st.endpoint) != st.object) || !s.reads(snapshot, st.verdict).same(st.reads) {
		return nil, false
	}
	mine := *st
	mine.catalog = snapshot.Version()
	return &mine, true
}

// of is the statement for another principal, who has filters of the same columns.
func (st *Statement) of(p auth.Principal) *Statement {
	mine := *st
	mine.text.Principal = p
	return &mine
}

// declare notes the types that the text of an endpoint, and the guard's filters, give the parameters.
func (st *Statement) declare(snapshot *catalog.Snapshot) {
	if st.endpoint == "" {
		return
	}
	st.declared = map[string]types.Type{}
	if o := snapshot.ByName(st.endpoint); o != nil && o.Endpoint != nil {
		st.object = o
		maps.Copy(st.declared, endpoint.Casts(o.Endpoint))
	}
	for _, f := range st.verdict.Filters {
		st.declared[f.Param] = f.Column.Type
	}
}

// again prepares a statement anew if definitions have changed since.
func (s *Service) again(ctx context.Context, st *Statement) (*Statement, error) {
	if same, ok := s.renewed(st, s.Catalog()); ok {
		return same, nil
	}
	switch {
	case st.endpoint != "":
		return s.prepare(ctx, st.text, st.endpoint)
	}
	return s.Prepare(ctx, st.text)
}

// authorise wants the scope read for each relation, and raw for the dead letters: they hold what any sender sent.
func authorise(p auth.Principal, v *guard.Verdict) error {
	for _, r := range v.Relations {
		if !p.May(auth.Read, r.Name) {
			return denied(r.Name)
		}
		if r.ID == catalog.DeadLetters && !p.May(auth.Raw, "") {
			return types.Errorf(types.PermissionDenied, "this token may not read %q", r.Name).WithHint("it needs the scope raw")
		}
	}
	return nil
}

func denied(name string) error {
	return types.Errorf(types.PermissionDenied, "this token may not read %q", name).WithHint("it needs the scope read:%s", name)
}

// place moves an error's place from the SELECT to the script that holds it.
func (t Text) place(err error) error {
	e := types.AsError(err)
	if e.Line == 0 || t.Script == "" || t.Offset == 0 {
		return e
	}
	line, column := types.Place(t.Script, t.Offset)
	shown := *e
	if e.Line == 1 {
		shown.Column += column - 1
	}
	shown.Line += line - 1
	return &shown
}
