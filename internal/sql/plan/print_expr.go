package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"leat/internal/types"
)

// String prints the expression with columns as #position.
func (e *Expr) String() string { return e.Print(nil) }

// Print prints the expression over an input of these fields; columns are name#position.
func (e *Expr) Print(in []Field) string {
	if e == nil {
		return "true"
	}
	switch e.Kind {
	case Column:
		return column(e.Index, in)
	case Const:
		return literal(e)
	case Call:
		if len(e.Args) == 2 && !word(e.Name) {
			return "(" + e.Args[0].Print(in) + " " + e.Name + " " + e.Args[1].Print(in) + ")"
		}
		return e.Name + "(" + exprs(e.Args, in) + ")"
	case Compare:
		return "(" + e.Args[0].Print(in) + " " + e.Name + " " + e.Args[1].Print(in) + ")"
	case And, Or:
		op := " and "
		if e.Kind == Or {
			op = " or "
		}
		parts := make([]string, len(e.Args))
		for i, a := range e.Args {
			parts[i] = a.Print(in)
		}
		return "(" + strings.Join(parts, op) + ")"
	case Not:
		return "not " + e.Args[0].Print(in)
	case IsNull:
		return "(" + e.Args[0].Print(in) + " is null)"
	case IsNotNull:
		return "(" + e.Args[0].Print(in) + " is not null)"
	case In:
		return "(" + e.Args[0].Print(in) + " in (" + exprs(e.Args[1:], in) + "))"
	case Case:
		return e.printCase(in)
	case Coalesce:
		return "coalesce(" + exprs(e.Args, in) + ")"
	case Cast:
		name := "cast("
		if e.Try {
			name = "try_cast("
		}
		return name + e.Args[0].Print(in) + " as " + e.Type.String() + ")"
	case Param:
		return "$" + e.Name
	}
	return fmt.Sprintf("?%d", e.Kind)
}

func (e *Expr) printCase(in []Field) string {
	var b strings.Builder
	b.WriteString("case")
	i := 0
	for ; i+1 < len(e.Args); i += 2 {
		b.WriteString(" when " + e.Args[i].Print(in) + " then " + e.Args[i+1].Print(in))
	}
	if i < len(e.Args) {
		b.WriteString(" else " + e.Args[i].Print(in))
	}
	return b.String() + " end"
}

func exprs(es []*Expr, in []Field) string {
	s := make([]string, len(es))
	for i, e := range es {
		s[i] = e.Print(in)
	}
	return strings.Join(s, ", ")
}

func column(i int, in []Field) string {
	if i >= 0 && i < len(in) {
		return in[i].Name + "#" + strconv.Itoa(i)
	}
	return "#" + strconv.Itoa(i)
}

func word(s string) bool {
	return s != "" && (s[0] == '_' || unicode.IsLetter(rune(s[0])))
}

// literal prints a constant; its type follows where the text alone would mean another.
func literal(e *Expr) string {
	suffix := "::" + e.Type.String()
	switch v := e.Value.(type) {
	case nil:
		return "null" + suffix
	case bool:
		return strconv.FormatBool(v)
	case string:
		if e.Type.Kind == types.Varchar {
			suffix = ""
		}
		return types.QuoteLiteral(v) + suffix
	case int64:
		return integer(v, e.Type) + suffix
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64) + suffix
	case Interval:
		return v.String() + suffix
	}
	return fmt.Sprintf("%v", e.Value) + suffix
}

func integer(v int64, t types.Type) string {
	switch t.Kind {
	case types.Date:
		return "'" + time.Unix(v*86400, 0).UTC().Format("2006-01-02") + "'"
	case types.Timestamp, types.TimestampTZ:
		return "'" + time.UnixMicro(v).UTC().Format("2006-01-02 15:04:05.999999") + "'"
	}
	return strconv.FormatInt(v, 10)
}

// String prints the parts that are not zero.
func (i Interval) String() string {
	var parts []string
	if i.Months != 0 {
		parts = append(parts, strconv.Itoa(int(i.Months))+" months")
	}
	if i.Days != 0 {
		parts = append(parts, strconv.Itoa(int(i.Days))+" days")
	}
	if i.Micros != 0 || len(parts) == 0 {
		parts = append(parts, (time.Duration(i.Micros) * time.Microsecond).String())
	}
	return "'" + strings.Join(parts, " ") + "'"
}
