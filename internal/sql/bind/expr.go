package bind

import (
	"encoding/json"
	"slices"
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// scope is what expressions stand over.
type scope struct {
	*session
	fields []plan.Field
}

func (s scope) exprs(in []*expression) ([]*plan.Expr, error) {
	out := make([]*plan.Expr, len(in))
	for i, e := range in {
		var err error
		if out[i], err = s.expr(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// expr translates one expression.
func (s scope) expr(e *expression) (*plan.Expr, error) {
	if e == nil {
		return nil, types.Errorf(types.Internal, "DuckDB's plan lacks an expression")
	}
	out, err := s.translate(e)
	if err != nil {
		return nil, err
	}
	return splitPart(fold(out)), nil
}

func (s scope) translate(e *expression) (*plan.Expr, error) {
	switch e.Class {
	case "BOUND_REF":
		return s.reference(e)
	case "BOUND_CONSTANT":
		v, t, err := e.Value.constant()
		if err != nil {
			return nil, s.at(s.place(e.Location), types.AsError(err))
		}
		return &plan.Expr{Kind: plan.Const, Type: t, Value: v, Place: s.place(e.Location)}, nil
	case "BOUND_CAST":
		return s.cast(e)
	case "BOUND_PARAMETER":
		if s.mode == once {
			return s.node(e, plan.Expr{Kind: plan.Param, Name: e.Identifier})
		}
	case "BOUND_COMPARISON":
		name, ok := comparisons[e.Type]
		if !ok {
			break
		}
		return s.node(e, plan.Expr{Kind: plan.Compare, Name: name}, e.Left, e.Right)
	case "BOUND_CONJUNCTION":
		if e.Type == "CONJUNCTION_OR" {
			return s.node(e, plan.Expr{Kind: plan.Or}, e.Children...)
		}
		return s.node(e, plan.Expr{Kind: plan.And}, e.Children...)
	case "BOUND_BETWEEN":
		return s.between(e)
	case "BOUND_CASE":
		return s.caseOf(e)
	case "BOUND_OPERATOR":
		return s.operator(e)
	case "BOUND_FUNCTION":
		return s.call(e)
	}
	what, ok := refusedClasses[e.Class]
	if !ok {
		what = "this form of expression (" + strings.TrimPrefix(e.Class, "BOUND_") + " " + e.Type + ")"
	}
	return nil, s.fail(e.Location, types.Unsupported, "%s is not supported in views", what)
}

var refusedClasses = map[string]string{
	"BOUND_PARAMETER": "a parameter", "BOUND_LAMBDA": "a lambda", "BOUND_LAMBDA_REF": "a lambda", "BOUND_UNNEST": "unnest",
	"BOUND_WINDOW": "this use of OVER", "BOUND_DEFAULT": "DEFAULT",
}

var comparisons = map[string]string{
	"COMPARE_EQUAL": "=", "COMPARE_NOTEQUAL": "<>", "COMPARE_LESSTHAN": "<", "COMPARE_LESSTHANOREQUALTO": "<=", "COMPARE_GREATERTHAN": ">",
	"COMPARE_GREATERTHANOREQUALTO": ">=", "COMPARE_DISTINCT_FROM": "is distinct from", "COMPARE_NOT_DISTINCT_FROM": "is not distinct from",
}

// node fills in operands, type and place.
func (s scope) node(e *expression, out plan.Expr, args ...*expression) (*plan.Expr, error) {
	var err error
	if out.Args, err = s.exprs(args); err != nil {
		return nil, err
	}
	out.Place = s.place(e.Location)
	out.Type, err = s.typeOf(e)
	return &out, err
}

// typeOf is the expression's type; comparisons and conjunctions don't tell theirs.
func (s scope) typeOf(e *expression) (types.Type, error) {
	if e.Return == nil {
		return types.Of(types.Boolean), nil
	}
	t, ok := e.Return.typeOf()
	if !ok {
		return t, s.fail(e.Location, types.Unsupported, "a value of type %s is not supported in views", e.Return.ID).
			WithHint("cast it to a type that streams can have")
	}
	return t, nil
}

// rowID names the column that DuckDB reads where only the number of rows matters.
const rowID = "\x00row"

func (s scope) reference(e *expression) (*plan.Expr, error) {
	if e.Index < 0 || e.Index >= len(s.fields) {
		return nil, types.Errorf(types.Internal, "DuckDB's plan refers to column %d of %d", e.Index, len(s.fields))
	}
	f := s.fields[e.Index]
	if f.Name == rowID {
		at := s.locate(func(o object) bool {
			names, _ := o["column_names"].([]any)
			return len(names) > 0 && names[len(names)-1] == "rowid"
		})
		return nil, s.at(at, types.Errorf(types.UnknownColumn, "there is no column called rowid"))
	}
	return plan.Col(e.Index, f.Type), nil
}

func (s scope) cast(e *expression) (*plan.Expr, error) {
	out, err := s.node(e, plan.Expr{Kind: plan.Cast, Try: e.Try}, e.Child)
	if err != nil {
		return nil, err
	}
	if out.Args[0].Type.Equal(out.Type) && !(out.Args[0].Kind == plan.Const && out.Args[0].Value == nil) {
		return out.Args[0], nil
	}
	return out, nil
}

func (s scope) between(e *expression) (*plan.Expr, error) {
	in, err := s.exprs([]*expression{e.Input, e.Lower, e.Upper})
	if err != nil {
		return nil, err
	}
	place := s.place(e.Location)
	compare := func(op string, inclusive bool, bound *plan.Expr) *plan.Expr {
		if inclusive {
			op += "="
		}
		return &plan.Expr{Kind: plan.Compare, Name: op, Type: types.Of(types.Boolean), Args: []*plan.Expr{in[0], bound}, Place: place}
	}
	return &plan.Expr{Kind: plan.And, Type: types.Of(types.Boolean), Place: place,
		Args: []*plan.Expr{compare(">", e.LowerInclusive, in[1]), compare("<", e.UpperInclusive, in[2])}}, nil
}

func (s scope) caseOf(e *expression) (*plan.Expr, error) {
	var args []*expression
	for _, c := range e.Checks {
		args = append(args, c.When, c.Then)
	}
	return s.node(e, plan.Expr{Kind: plan.Case}, append(args, e.Else)...)
}

func (s scope) operator(e *expression) (*plan.Expr, error) {
	kind := map[string]plan.ExprKind{
		"OPERATOR_NOT": plan.Not, "OPERATOR_IS_NULL": plan.IsNull, "OPERATOR_IS_NOT_NULL": plan.IsNotNull, "OPERATOR_COALESCE": plan.Coalesce,
		"COMPARE_IN": plan.In, "COMPARE_NOT_IN": plan.In,
	}
	switch e.Type {
	case "OPERATOR_TRY":
		return s.node(e, plan.Expr{Kind: plan.Call, Name: "try"}, e.Children...)
	case "COMPARE_NOT_IN":
		in, err := s.node(e, plan.Expr{Kind: plan.In}, e.Children...)
		if err != nil {
			return nil, err
		}
		return &plan.Expr{Kind: plan.Not, Type: in.Type, Args: []*plan.Expr{in}, Place: in.Place}, nil
	}
	k, ok := kind[e.Type]
	if !ok {
		return nil, s.fail(e.Location, types.Unsupported, "the operator %s is not supported in views", e.Type)
	}
	return s.node(e, plan.Expr{Kind: k}, e.Children...)
}

// Functions that a view cannot use because their value isn't one of its input's, and those that read the clock.
var (
	volatile = set(`random uuid gen_random_uuid uuidv4 uuidv7 setseed nextval currval txid_current current_setting current_schema current_schemas
		current_database current_catalog current_query current_user session_user user version pg_backend_pid get_block_size stats`)
	clocks = map[string]types.Kind{
		"now": types.TimestampTZ, "get_current_timestamp": types.TimestampTZ, "transaction_timestamp": types.TimestampTZ, "current_timestamp": types.TimestampTZ,
		"current_date": types.Date, "today": types.Date, "current_localtimestamp": types.Timestamp, "localtimestamp": types.Timestamp,
	}
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

func (s scope) call(e *expression) (*plan.Expr, error) {
	name := strings.ToLower(e.Name)
	if kind, ok := clocks[name]; ok && len(e.Children) == 0 {
		return s.clock(e, kind), nil
	}
	switch {
	case volatile[name]:
		return nil, s.fail(e.Location, types.NotAllowed, "%s() has no place in a view: its value is not a function of the rows read", name).
			WithHint("compute it before sending the event")
	case name == "get_current_time" || name == "current_localtime":
		return nil, s.fail(e.Location, types.Unsupported, "the time of day is not supported in views").WithHint("use now()")
	case len(e.Data) > 0 && string(e.Data) != "null" && strings.Contains(string(e.Data), "lambda"):
		return nil, s.fail(e.Location, types.Unsupported, "a lambda is not supported in views")
	}
	// Names of new members are in none of the arguments either.
	if len(e.Original) > len(e.Children) || name == "struct_insert" || name == "struct_update" {
		return nil, s.fail(e.place(), types.Unsupported, "%s with these arguments is not supported in views", name)
	}
	return s.node(e, plan.Expr{Kind: plan.Call, Name: name}, e.Children...)
}

// clock reads the clock partition; TimeZone is UTC, so that the local time is its wall clock.
func (s scope) clock(e *expression, kind types.Kind) *plan.Expr {
	place := s.place(e.Location)
	out := &plan.Expr{Kind: plan.Call, Name: "now", Type: types.Of(types.TimestampTZ), Place: place}
	if kind != types.TimestampTZ {
		out = &plan.Expr{Kind: plan.Cast, Type: types.Of(kind), Args: []*plan.Expr{out}, Place: place}
	}
	return out
}

// list reads Expressions of a node that has one list of them.
func (n *tree) list() ([]*expression, error) {
	if len(n.Expressions) == 0 {
		return nil, nil
	}
	var out []*expression
	if err := json.Unmarshal(n.Expressions, &out); err != nil {
		return nil, types.Errorf(types.Internal, "DuckDB's %s cannot be read: %w", n.Type, err)
	}
	if slices.Contains(out, nil) {
		return nil, types.Errorf(types.Internal, "DuckDB's %s lacks an expression", n.Type)
	}
	return out, nil
}
