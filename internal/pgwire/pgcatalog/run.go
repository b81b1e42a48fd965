package pgcatalog

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/pgwire/pgtype"
	"leat/internal/types"
)

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// describe gives parameters their types and finds the columns.
func (c *Catalog) describe(ctx context.Context, st *Statement, root node, given []uint32) error {
	engine, err := c.ready()
	if err != nil {
		return err
	}
	sql, err := c.deparse(ctx, root)
	if err != nil {
		return err
	}
	params, names, columns, err := engine.Describe(ctx, sql)
	if err != nil {
		return placeless(err)
	}
	st.sql = sql
	if len(params) > 0 {
		st.params = make([]uint32, len(params))
		places := inferParams(root)
		for i, inferred := range params {
			st.params[i] = pgtype.Text
			if oid, ok := places[i+1]; ok {
				st.params[i] = oid
			} else if inferred != "" && inferred != "VARCHAR" {
				st.params[i] = resultType(inferred)
			}
			if i < len(given) && given[i] != 0 && given[i] != pgtype.Unknown {
				st.params[i] = given[i]
			}
		}
		if st.sql, err = c.deparse(ctx, withParams(root, st.params, false)); err != nil {
			return err
		}
		// Some functions have a type only where their arguments have values.
		example, err := c.deparse(ctx, withParams(root, st.params, true))
		if err != nil {
			return err
		}
		if _, names, columns, err = engine.Describe(ctx, example); err != nil {
			return placeless(err)
		}
	}
	inferred, ok := inferQuery(child(items(root, "statements")[0], "node"), nil)
	for i, name := range names {
		oid := resultType(columns[i])
		if ok && len(inferred) == len(names) && inferred[i].oid != 0 {
			oid = inferred[i].oid
		}
		st.columns = append(st.columns, Column{Name: name, OID: oid, Size: sizeOf(oid), Mod: -1})
	}
	return nil
}

func (c *Catalog) deparse(ctx context.Context, root node) (string, error) {
	ast, err := encode(root)
	if err != nil {
		return "", err
	}
	return c.Parser.DeserializeSQL(ctx, ast)
}

// placeless is an error of the engine without its place, which is one in a text that nobody wrote.
func placeless(err error) error {
	e := *types.AsError(err)
	e.Line, e.Column = 0, 0
	return &e
}

// withParams is a copy of an AST whose parameters are cast from text to their types, with constants in their place in an example.
func withParams(root node, params []uint32, example bool) node {
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case []any:
			for i, e := range v {
				v[i] = walk(e)
			}
		case node:
			for k, e := range v {
				v[k] = walk(e)
			}
			if str(v, "class") != "PARAMETER" {
				return v
			}
			n, err := strconv.Atoi(str(v, "identifier"))
			if err != nil || n < 1 || n > len(params) {
				return v
			}
			alias := v["alias"]
			v["alias"] = ""
			if example {
				v = null()
				if name, list := engineType(params[n-1]); name == "VARCHAR" && !list {
					v = text("")
				}
			}
			out := paramCast(v, params[n-1])
			out["alias"] = alias
			return out
		}
		return v
	}
	return walk(copied(root)).(node)
}

// paramCast reads a parameter, which is bound as text: arrays as JSON.
func paramCast(n node, oid uint32) node {
	typ, list := engineType(oid)
	if list {
		n = call("", "from_json", n, text(`["VARCHAR"]`))
		if typ == "VARCHAR" {
			return n
		}
		return listCast(n, typ)
	}
	if kind, ok := regTypes[typ]; ok {
		return cast(own(kind+"_oid", cast(n, "VARCHAR")), typ)
	}
	return cast(cast(n, "VARCHAR"), typ)
}

func listCast(n node, element string) node {
	c := cast(n, element)
	c["cast_type"] = node{"id": "LIST", "type_info": node{"type": "LIST_TYPE_INFO", "alias": "", "extension_info": nil, "child_type": typeNode(element)}}
	return c
}

// engineType is the engine's type of a PostgreSQL type, or of its elements.
func engineType(oid uint32) (name string, list bool) {
	for element, array := range arraysOf {
		if array == oid {
			name, _ = engineType(element)
			return name, true
		}
	}
	for _, a := range aliases {
		if a.oid == oid && a.base.Kind != types.List {
			return a.name, false
		}
	}
	if t, ok := pgtype.TypeOf(oid); ok && !t.Kind.IsNested() {
		switch t.Kind {
		case types.SmallInt:
			return "INTEGER", false
		case types.BigInt, types.Integer, types.Boolean:
			return t.Kind.String(), false
		case types.Float, types.Double, types.Date, types.Timestamp, types.TimestampTZ:
			return castTypeNames[t.Kind], false
		}
	}
	if oid == pgtype.Numeric {
		return castTypeNames[types.Double], false
	}
	return "VARCHAR", false
}

var castTypeNames = map[types.Kind]string{types.Float: "DOUBLE", types.Double: "DOUBLE", types.Date: "DATE", types.Timestamp: "TIMESTAMP", types.TimestampTZ: "TIMESTAMPTZ"}

func (c *Catalog) run(ctx context.Context, st *Statement, s *Session, params []Param) (*Result, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	if st.session != s.fingerprint() {
		again, _, err := c.prepare(ctx, s, st.given, st.params)
		if err != nil {
			return nil, err
		}
		if again == nil || !slices.Equal(again.columns, st.columns) {
			return nil, types.Errorf(types.Conflict, "cached plan must not change result type")
		}
		st = again
	}
	if len(params) != len(st.params) {
		return nil, types.Errorf(types.InvalidArgument, "%d parameters were bound, the statement has %d", len(params), len(st.params))
	}
	im := c.image(ctx, s.Principal)
	for _, name := range st.checks {
		if im.find(name, s.path()) == nil {
			return nil, types.Errorf(types.UnknownRelation, "relation %q does not exist", name)
		}
	}
	args := map[string]any{}
	for i, p := range params {
		v, err := argument(st.params[i], p)
		if err != nil {
			return nil, err
		}
		args[strconv.Itoa(i+1)] = v
	}
	engine, err := c.ready()
	if err != nil {
		return nil, err
	}
	res := &Result{columns: st.columns, image: im}
	size := 0
	cut, err := engine.Query(ctx, &pin{image: im, session: s, catalog: c}, st.sql, args, MaxRows, func(rec arrow.RecordBatch) error {
		return res.take(rec, &size)
	})
	if err != nil {
		return nil, placeless(err)
	}
	if cut {
		return nil, types.Errorf(types.LimitExceeded, "an answer about the catalog has at most %d rows", MaxRows).WithHint("ask for less with WHERE")
	}
	return res, nil
}

// find resolves a name as regclass does.
func (im *image) find(name string, path []string) *relation {
	for _, r := range im.relations {
		for _, schema := range append(path, "") {
			full := r.schema + "." + r.name
			if quoteless(name) == full || schema == r.schema && quoteless(name) == r.name {
				return r
			}
		}
		if quoteless(name) == r.keyName && len(r.key) > 0 {
			return r
		}
	}
	if n, err := strconv.ParseInt(name, 10, 64); err == nil {
		return &relation{oid: n}
	}
	return nil
}

func quoteless(name string) string {
	out := make([]byte, 0, len(name))
	in := false
	for i := range len(name) {
		switch c := name[i]; {
		case c == '"':
			in = !in
		case !in && c >= 'A' && c <= 'Z':
			out = append(out, c+32)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// take copies the rows of a record.
func (r *Result) take(rec arrow.RecordBatch, size *int) error {
	for i := range int(rec.NumRows()) {
		values := make([]any, rec.NumCols())
		for j := range values {
			v, err := valueAt(rec.Column(j), i)
			if err != nil {
				return err
			}
			values[j] = v
			*size += sizeOfValue(v)
		}
		if *size > MaxBytes {
			return types.Errorf(types.LimitExceeded, "an answer about the catalog has at most %d MiB", MaxBytes>>20).WithHint("ask for less with WHERE")
		}
		r.rows = append(r.rows, values)
	}
	return nil
}

func sizeOfValue(v any) int {
	switch v := v.(type) {
	case string:
		return 16 + len(v)
	case []any:
		n := 24
		for _, e := range v {
			n += sizeOfValue(e)
		}
		return n
	}
	return 16
}

// sizes are pg_type.typlen by type.
func sizeOf(oid uint32) int16 {
	if t, ok := typeRows()[int64(oid)]; ok {
		return int16(integer(t["typlen"]))
	}
	return -1
}

func columnFor(c types.Column) column {
	return column{c.Name, pgtype.Of(c.Type), pgtype.Mod(c.Type), c.NotNull}
}
