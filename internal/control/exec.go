package control

import (
	"context"
	"fmt"
	"strings"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// Script is the text of a request and its statements.
type Script struct {
	Text       string
	Statements []ddl.Statement
	// Args are the values of the parameters of INSERT and DELETE.
	Args map[string]any
}

// Outcome has one result per statement, in order.
type Outcome struct{ Results []Result }

// Result says what one statement did.
type Result struct {
	// Statement is what was run, such as "CREATE STREAM".
	Statement string `json:"statement"`
	// Name is the object, empty where there is none.
	Name string `json:"name,omitempty"`
	// Status is created, altered, replaced, dropped or unchanged; empty for others than DDL.
	Status string `json:"status,omitempty"`
	// Rows counts the rows of INSERT and DELETE, Position is where they are.
	Rows     int64          `json:"rows,omitempty"`
	Position types.Position `json:"-"`
	// Table is the answer of SHOW, DESCRIBE and EXPLAIN.
	Table *Table `json:"-"`
}

// The statuses of a Result.
const (
	created   = "created"
	altered   = "altered"
	replaced  = "replaced"
	dropped   = "dropped"
	unchanged = "unchanged"
)

// Exec runs a script: all of its definitions in one transaction, or one statement of another sort. SELECT is not for it.
//
// Definitions are checked as a whole: names as each statement is read, dependencies at the end, so that a script may drop a
// view after the stream that it reads. SHOW and DESCRIBE in a script see the catalog as it was before. Errors are *types.Error with their place.
func (c *Controller) Exec(ctx context.Context, who auth.Principal, s Script) (Outcome, error) {
	changes, others := 0, 0
	for _, st := range s.Statements {
		switch st.(type) {
		case *ddl.Insert, *ddl.Delete, *ddl.Explain, *ddl.Select:
			others++
		case *ddl.Show, *ddl.ShowCreate, *ddl.Describe:
		default:
			changes++
		}
	}
	if others > 0 && len(s.Statements) > 1 {
		start, _ := s.Statements[0].Range()
		return Outcome{}, place(s.Text, start, types.Errorf(types.Unsupported,
			"INSERT, DELETE, SELECT and EXPLAIN can't share a request with other statements").
			WithHint("send each of them alone; definitions may share one script, which is one transaction"))
	}
	p := &planner{c: c, ctx: ctx, who: who, script: s.Text, places: map[types.ObjectID]int{}}
	if changes > 0 {
		return p.define(s.Statements)
	}
	p.draft = c.draft()
	var out Outcome
	for _, st := range s.Statements {
		r, err := p.answer(st, s.Args)
		if err != nil {
			return Outcome{}, err
		}
		out.Results = append(out.Results, r)
	}
	return out, nil
}

// planner carries out one script.
type planner struct {
	c      *Controller
	ctx    context.Context
	who    auth.Principal
	script string
	draft  *draft
	// places are where the script names the objects that it changes.
	places map[types.ObjectID]int
}

// define runs a script with definitions.
func (p *planner) define(statements []ddl.Statement) (Outcome, error) {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.behind {
		if err := c.reconcile(p.ctx); err != nil {
			return Outcome{}, err
		}
	}
	p.draft = c.draft()
	before := *p
	before.draft = c.draft()
	var out Outcome
	for _, st := range statements {
		r, err := p.apply(st, &before)
		if err != nil {
			return Outcome{}, err
		}
		out.Results = append(out.Results, r)
	}
	ch := p.draft.change()
	if ch.empty() {
		return out, nil
	}
	if err := p.check(ch); err != nil {
		return Outcome{}, err
	}
	return out, c.commit(p.ctx, ch)
}

// apply makes one statement's changes in the draft.
func (p *planner) apply(st ddl.Statement, before *planner) (Result, error) {
	if _, ok := st.(*ddl.Show); !ok {
		if err := p.mayCreate(st); err != nil {
			return Result{}, err
		}
	}
	switch st := st.(type) {
	case *ddl.CreateStream:
		return p.createStream(st)
	case *ddl.CreateTable:
		return p.createTable(st)
	case *ddl.CreateView:
		return p.createView(st)
	case *ddl.CreateEndpoint:
		return p.createEndpoint(st)
	case *ddl.CreateMaterializedView:
		return p.createMaterialized(st)
	case *ddl.CreateIndex:
		return p.createIndex(st)
	case *ddl.Alter:
		return p.alter(st)
	case *ddl.Drop:
		if st.Kind == ddl.Index {
			return p.dropIndexes(st)
		}
		return p.drop(st)
	}
	return before.answer(st, nil)
}

func (p *planner) mayCreate(st ddl.Statement) error {
	switch st.(type) {
	case *ddl.ShowCreate, *ddl.Describe:
		return nil
	}
	if p.who.May(auth.Create, "") {
		return nil
	}
	start, _ := st.Range()
	return p.fail(start, types.PermissionDenied, "this token may not change definitions").WithHint("use a token with the scope create")
}

// drop removes objects; check finds what still needs them.
func (p *planner) drop(st *ddl.Drop) (Result, error) {
	r := Result{Statement: "DROP " + keyword(catalog.Kind(st.Kind)), Status: unchanged}
	var gone []string
	for _, name := range st.Names {
		o, err := p.find(name, st.Kind, "DROP")
		if types.HasCode(err, types.UnknownRelation) && st.IfExists {
			continue
		}
		if err != nil {
			return r, err
		}
		p.draft.remove(o)
		p.places[o.ID] = name.Pos
		gone = append(gone, o.Name)
		r.Status = dropped
	}
	r.Name = strings.Join(gone, ", ")
	return r, nil
}

// find returns the object that a statement names; kind may be ddl.Any.
func (p *planner) find(name ddl.ObjectName, kind ddl.Kind, verb string) (*catalog.Object, error) {
	if err := p.public(name); err != nil {
		return nil, err
	}
	o, rest := p.draft.byName(name.Name), ""
	if verb == "ALTER" {
		rest = " ..."
	}
	of, _ := p.draft.index(name.Name)
	switch {
	case o == nil && of != nil:
		return nil, p.fail(name.Pos, types.UnknownRelation, "there is no %s %q: that is an index of %q", orObject(kind), name.Name, of.Name).WithHint("DROP INDEX %s, or SHOW CREATE INDEX", types.QuoteIdent(name.Name))
	case o == nil:
		return nil, p.fail(name.Pos, types.UnknownRelation, "there is no %s %q", orObject(kind), name.Name).WithHint("SHOW ALL")
	case !isKind(o, kind):
		e := p.fail(name.Pos, types.InvalidArgument, "%q is a %s, not a %s", name.Name, kindOf(o), kind)
		if verb == "EXPLAIN" && hasLog(o) {
			return nil, e.WithHint("EXPLAIN SELECT * FROM %s", types.QuoteIdent(o.Name))
		}
		return nil, e.WithHint("%s %s %s", verb, words(o), types.QuoteIdent(o.Name)+rest)
	}
	return o, nil
}

// isKind reports whether a statement that names a kind may mean an object: VIEW means views of both sorts.
func isKind(o *catalog.Object, kind ddl.Kind) bool {
	return kind == ddl.Any || string(kind) == string(o.Kind) || kind == ddl.MaterializedView && o.Continuous()
}

// kindOf is what users call an object's kind.
func kindOf(o *catalog.Object) string {
	if o.Continuous() {
		return string(ddl.MaterializedView)
	}
	return string(o.Kind)
}

// words are an object's kind as it stands in statements.
func words(o *catalog.Object) string { return strings.ToUpper(kindOf(o)) }

func orObject(kind ddl.Kind) string {
	if kind == ddl.Any {
		return "object"
	}
	return string(kind)
}

// public refuses names outside the schema that users own.
func (p *planner) public(name ddl.ObjectName) error {
	if name.Schema == "" || name.Schema == "public" {
		return nil
	}
	return p.fail(name.Pos, types.NotAllowed, "%s: definitions live in the schema public only", name)
}

// fail makes an error at a byte offset of the script.
func (p *planner) fail(pos int, code types.Code, format string, args ...any) *types.Error {
	return place(p.script, pos, types.Errorf(code, format, args...))
}

func place(script string, pos int, e *types.Error) *types.Error {
	if pos < 0 || pos > len(script) {
		return e
	}
	return e.At(types.Place(script, pos))
}

func keyword(k catalog.Kind) string { return strings.ToUpper(string(k)) }

func nameList(objects []*catalog.Object) string {
	parts := make([]string, len(objects))
	for i, o := range objects {
		parts[i] = fmt.Sprintf("%s %q", kindOf(o), o.Name)
	}
	return strings.Join(parts, ", ")
}
