package pgcatalog

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

// Bounds of statements about the catalog.
const (
	// MaxRows and MaxBytes are how large an answer may be; a larger one is types.LimitExceeded.
	MaxRows  = 200_000
	MaxBytes = 32 << 20
	// Timeout is how long one statement may take.
	Timeout = 10 * time.Second
	// maxImages is how many images are kept: one for each set of relations that principals see; the least used goes.
	maxImages = 16
	// The last maxStatements statements of at most maxCached bytes are kept prepared, for the sessions that agree in all that they took from
	// theirs: at most 8 MiB of texts.
	maxStatements = 512
	maxCached     = 16 << 10
)

// Options are what a Catalog works on. Open, Parser and Definitions are required.
type Options struct {
	// Open makes the engine, once, when the first statement about the catalog comes; the caller closes it after the last.
	Open func() (Engine, error)
	// Parser is DuckDB's, as sql/guard takes it.
	Parser guard.Serializer
	// Definitions returns the newest definitions.
	Definitions func() *catalog.Snapshot
	// System are the relations of schema leat_system, by their names without the schema; nil is none.
	System func() []Relation
	// Columns finds the columns of a plain view, which the catalog of definitions doesn't keep with their types; nil is a view without columns.
	Columns func(ctx context.Context, o *catalog.Object) ([]types.Column, error)
	Log     *slog.Logger
	Started time.Time
	// Version is Leat's.
	Version string
}

// Relation is a built-in relation of schema leat_system.
type Relation struct {
	Name    string
	Columns []types.Column
	// Comment says what it holds.
	Comment string
}

// Catalog answers statements about the catalog. Its methods may be called from any goroutine.
type Catalog struct {
	Options
	guard  *guard.Guard
	images *lru.Cache[string, *image]
	// statements are by the session's fingerprint, the types of parameters and the text.
	statements *lru.Cache[string, *Statement]

	mu     sync.Mutex // guards engine, and is held while it is made
	engine Engine     // nil until it is needed
}

// New makes a catalog.
func New(o Options) *Catalog {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	images, err := lru.New[string, *image](maxImages)
	if err != nil {
		panic("BUG: the cache of images: " + err.Error())
	}
	statements, err := lru.New[string, *Statement](maxStatements)
	if err != nil {
		panic("BUG: the cache of statements: " + err.Error())
	}
	return &Catalog{Options: o, guard: guard.New(o.Parser), images: images, statements: statements}
}

// ready returns the engine with everything defined.
func (c *Catalog) ready() (Engine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.engine != nil {
		return c.engine, nil
	}
	e, err := c.Open()
	if err != nil {
		return nil, err
	}
	// Not the statement's context: the next one needs it as well.
	if err := define(context.Background(), e); err != nil {
		return nil, err
	}
	c.engine = e
	return e, nil
}

// triggers are words that make a statement worth a look: it may be about the catalog, or need rewriting.
var triggers = []string{"pg_", "regclass", "regtype", "regproc", "regnamespace", "regrole", "current_", "session_user", "version", "set_config", "information_schema",
	"quote_ident", "has_", "inet_", "to_reg", "format_type", "obj_description", "col_description", "shobj_description", "txid_", "_pg_expandarray"}

// concerns reports whether a text may be about the catalog.
func concerns(s source) bool {
	for w := range s.words() {
		for _, t := range triggers {
			if strings.HasPrefix(w, t) {
				return true
			}
		}
	}
	return false
}

// Intercept decides how one statement runs. params are the types of its parameters as the client named them, 0 where it did not; they
// may be fewer than there are. Statements that are no SELECT go the ordinary way. Errors are faults of a statement about the catalog:
// types.SyntaxError, UnknownRelation, UnknownColumn, UnknownFunction; types.NotAllowed for one that mixes the catalog with users' data.
func (c *Catalog) Intercept(ctx context.Context, s *Session, sql string, params []uint32) (Verdict, error) {
	ordinary := Verdict{SQL: sql}
	if len(sql) > guard.MaxText {
		return ordinary, nil // refused there
	}
	tokens := source{sql, lex(sql)}
	if !tokens.selects() || tokens.deep() {
		return ordinary, nil
	}
	about := concerns(tokens)
	if !about && !s.Principal.Filtered() {
		return c.dialect(ctx, s, tokens), nil
	}
	key := s.fingerprint() + fmt.Sprint(params) + sql
	if st, ok := c.statements.Get(key); ok {
		return Verdict{Statement: st}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	st, r, err := c.prepare(ctx, s, strings.TrimRight(sql, "; \t\r\n"), params)
	switch {
	case r == nil: // it doesn't parse, or is nothing that is rewritten
		return ordinary, nil
	case !about && (r.err != nil || err != nil): // a call of an endpoint, or what is refused there
		return ordinary, nil
	case r.err != nil:
		return Verdict{}, r.err
	case len(r.system) == 0 && len(r.users) > 0:
		return c.dialect(ctx, s, tokens), nil
	case len(r.system) > 0 && len(r.users) > 0:
		return Verdict{}, types.Errorf(types.NotAllowed, "the statement reads the catalog together with %s", first(r.users)).
			WithHint("ask pg_catalog or information_schema in one statement and your data in another")
	case len(r.system) == 0 && !r.known && !s.Principal.Filtered():
		return c.dialect(ctx, s, tokens), nil
	case err != nil:
		return Verdict{}, err
	}
	if len(sql) <= maxCached && !r.personal {
		c.statements.Add(key, st)
	}
	return Verdict{Statement: st}, nil
}

func first(names map[string]bool) string {
	least := ""
	for n := range names {
		if least == "" || n < least {
			least = n
		}
	}
	return least
}

// prepare rewrites a statement for the engine and describes it. The rewriter is nil where the statement can't be read at all.
func (c *Catalog) prepare(ctx context.Context, s *Session, sql string, params []uint32) (*Statement, *rewriter, error) {
	plainText, changed := plain(sql)
	ast, err := c.Parser.SerializeSQL(ctx, plainText)
	if err != nil {
		return nil, nil, err
	}
	root, statement, err := decode(ast)
	if err != nil {
		return nil, nil, err
	}
	r := newRewriter(c, s, plainText)
	r.placed = !changed
	if err := r.statement(statement); err != nil {
		return nil, r, err
	}
	if len(r.users) > 0 {
		return nil, r, nil
	}
	if err := c.check(ctx, root); err != nil {
		return nil, r, err
	}
	st := &Statement{catalog: c, given: sql, session: s.fingerprint(), settings: r.settings, checks: r.checks}
	if err := c.describe(ctx, st, root, params); err != nil {
		return nil, r, err
	}
	return st, r, nil
}

// check has the guard look at a statement: its size, what it makes from constants, and every function that isn't ours. It sees calls of ours
// as lists of their arguments.
func (c *Catalog) check(ctx context.Context, root node) error {
	shadow := copied(root).(node)
	hide(shadow)
	ast, err := encode(shadow)
	if err != nil {
		return err
	}
	sql, err := c.Parser.DeserializeSQL(ctx, ast)
	if err != nil {
		return err
	}
	_, err = c.guard.Check(ctx, sql, relations{})
	if err != nil {
		e := *types.AsError(err)
		e.Line, e.Column = 0, 0 // places of a text that nobody wrote
		return &e
	}
	return nil
}

func hide(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			hide(e)
		}
	case node:
		if str(v, "class") == "FUNCTION" && str(v, "schema") == systemSchema {
			v["schema"], v["function_name"] = "", "list_value"
		}
		for _, e := range v {
			hide(e)
		}
	}
}

// relations shows the guard the engine's relations.
type relations struct{}

// Relation is part of guard.Catalog: the rewriter has resolved every name already.
func (relations) Relation(name string) (guard.Relation, bool) {
	return guard.Relation{Name: name}, strings.HasPrefix(name, systemSchema+".")
}

// Names is part of guard.Catalog.
func (relations) Names() []string { return nil }

// fingerprint changes when constants that a statement took from the session do.
func (s *Session) fingerprint() string {
	var b strings.Builder
	for _, v := range []string{s.User, s.Database, s.ApplicationName, strings.Join(s.SearchPath, ",")} {
		b.WriteString(v + "\x00")
	}
	if s.Principal.May(auth.Admin, "") {
		b.WriteString("admin\x00")
	}
	for _, name := range sortedKeys(s.Settings) {
		b.WriteString(name + "=" + s.Settings[name] + "\x00")
	}
	return b.String()
}
