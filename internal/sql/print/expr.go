// Package print writes plans back as SQL text.
package print

import (
	"fmt"
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Expr prints e as DuckDB's SQL, fully parenthesised; col names the columns. Constants are cast to their types, so that DuckDB binds the
// functions that the plan means. What has no text is types.Unsupported.
func Expr(e *plan.Expr, col func(i int) string) (string, error) {
	p := printer{col: col}
	p.expr(e)
	if p.err != nil {
		return "", p.err
	}
	return p.String(), nil
}

type printer struct {
	strings.Builder
	col func(int) string
	err error
}

func (p *printer) expr(e *plan.Expr) {
	switch e.Kind {
	case plan.Column:
		p.WriteString(p.col(e.Index))
	case plan.Const:
		p.constant(e.Value, e.Type)
	case plan.Call:
		p.call(e)
	case plan.Compare:
		p.infix(strings.ToUpper(e.Name), e.Args)
	case plan.And:
		p.infix("AND", e.Args)
	case plan.Or:
		p.infix("OR", e.Args)
	case plan.Not:
		p.wrap("(NOT ", e.Args[0], ")")
	case plan.IsNull:
		p.wrap("(", e.Args[0], " IS NULL)")
	case plan.IsNotNull:
		p.wrap("(", e.Args[0], " IS NOT NULL)")
	case plan.In:
		p.wrap("(", e.Args[0], " IN (")
		p.list(e.Args[1:])
		p.WriteString("))")
	case plan.Case:
		p.cases(e)
	case plan.Coalesce:
		p.function("coalesce", e.Args)
	case plan.Cast:
		verb := "CAST("
		if e.Try {
			verb = "TRY_CAST("
		}
		p.wrap(verb, e.Args[0], " AS "+e.Type.String()+")")
	default:
		p.fail("an expression of kind %d", e.Kind)
	}
}

func (p *printer) fail(format string, args ...any) {
	if p.err == nil {
		p.err = types.Errorf(types.Unsupported, format+" cannot be written as SQL", args...)
	}
}

func (p *printer) wrap(before string, e *plan.Expr, after string) {
	p.WriteString(before)
	p.expr(e)
	p.WriteString(after)
}

func (p *printer) infix(op string, args []*plan.Expr) {
	p.WriteByte('(')
	for i, a := range args {
		if i > 0 {
			p.WriteString(" " + op + " ")
		}
		p.expr(a)
	}
	p.WriteByte(')')
}

func (p *printer) list(args []*plan.Expr) {
	for i, a := range args {
		if i > 0 {
			p.WriteString(", ")
		}
		p.expr(a)
	}
}

func (p *printer) function(name string, args []*plan.Expr) {
	p.WriteString(types.QuoteIdent(name) + "(")
	p.list(args)
	p.WriteByte(')')
}

func (p *printer) cases(e *plan.Expr) {
	p.WriteString("(CASE")
	last := len(e.Args) - 1
	for i := 0; i+1 <= last; i += 2 {
		p.wrap(" WHEN ", e.Args[i], "")
		p.wrap(" THEN ", e.Args[i+1], "")
	}
	p.wrap(" ELSE ", e.Args[last], " END)")
}

// infixes are DuckDB's operators that it keeps as functions.
var infixes = map[string]bool{
	"+": true, "-": true, "*": true, "/": true, "//": true, "%": true, "**": true, "^": true, "||": true, "&": true, "|": true,
	"<<": true, ">>": true, "~~": true, "!~~": true, "~~*": true, "!~~*": true, "~~~": true, "^@": true, "&&": true, "@>": true, "<@": true,
}

func (p *printer) call(e *plan.Expr) {
	switch n := len(e.Args); {
	case n == 2 && infixes[e.Name]:
		p.infix(e.Name, e.Args)
	case n == 1 && (e.Name == "-" || e.Name == "+" || e.Name == "~" || e.Name == "@"):
		p.wrap("("+e.Name+" ", e.Args[0], ")")
	case (e.Name == "struct_pack" || e.Name == "row") && e.Type.Kind == types.Struct && len(e.Type.Fields) == n:
		p.WriteString("struct_pack(")
		for i, a := range e.Args {
			if i > 0 {
				p.WriteString(", ")
			}
			p.wrap(quoted(e.Type.Fields[i].Name)+" := ", a, "")
		}
		p.WriteByte(')')
	case e.Name == "struct_extract" && n == 2 && text(e.Args[1]):
		p.wrap("struct_extract(", e.Args[0], ", "+types.QuoteLiteral(e.Args[1].Value.(string))+")")
	case (e.Name == "struct_extract_at" || e.Name == "array_extract") && n == 2 && e.Args[0].Type.Kind == types.Struct:
		p.field(e)
	default:
		p.function(e.Name, e.Args)
	}
}

// field prints the access of a struct's field by number or name.
func (p *printer) field(e *plan.Expr) {
	switch v := e.Args[1].Value.(type) {
	case string:
		p.wrap("struct_extract(", e.Args[0], ", "+types.QuoteLiteral(v)+")")
	case int64:
		p.wrap("struct_extract(", e.Args[0], fmt.Sprintf(", %d)", v))
	default:
		p.fail("a struct's field that is not constant")
	}
}

func text(e *plan.Expr) bool {
	_, ok := e.Value.(string)
	return ok && e.Kind == plan.Const
}

// quoted is a name in double quotes, which is a name everywhere, also where a bare word would be something else.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
