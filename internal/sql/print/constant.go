package print

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// constant prints a value of plan.Expr's forms.
func (p *printer) constant(v any, t types.Type) {
	if v == nil {
		p.cast("NULL", t)
		return
	}
	switch v := v.(type) {
	case bool:
		p.cast(strconv.FormatBool(v), t)
	case int64:
		p.integer(v, t)
	case float64:
		p.cast("'"+double(v, t)+"'", t)
	case *big.Int:
		p.cast("'"+scaled(v, t)+"'", t)
	case string:
		p.cast(literal(v), t)
	case []byte:
		p.bytes(v, t)
	case plan.Interval:
		p.WriteString(fmt.Sprintf("CAST('%d months %d days %d microseconds' AS INTERVAL)", v.Months, v.Days, v.Micros))
	case []any:
		p.members(v, t)
	case [][2]any:
		p.pairs(v, t)
	default:
		p.fail("a constant of Go type %T", v)
	}
}

func (p *printer) cast(text string, t types.Type) {
	p.WriteString("CAST(" + text + " AS " + t.String() + ")")
}

// literal prints a string; zero bytes have no place in SQL text.
func literal(s string) string {
	if !strings.Contains(s, "\x00") {
		return types.QuoteLiteral(s)
	}
	parts := strings.Split(s, "\x00")
	for i, part := range parts {
		parts[i] = types.QuoteLiteral(part)
	}
	return "(" + strings.Join(parts, " || chr(0) || ") + ")"
}

func double(v float64, t types.Type) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		return strings.TrimPrefix(strconv.FormatFloat(v, 'g', -1, 64), "+")
	case t.Kind == types.Float:
		return strconv.FormatFloat(v, 'e', -1, 32)
	}
	return strconv.FormatFloat(v, 'e', -1, 64)
}

// scaled prints an unscaled number with the type's decimal point.
func scaled(v *big.Int, t types.Type) string {
	if t.Kind != types.Decimal || t.Scale == 0 {
		return v.String()
	}
	s := new(big.Int).Abs(v).String()
	if n := int(t.Scale) + 1 - len(s); n > 0 {
		s = strings.Repeat("0", n) + s
	}
	s = s[:len(s)-int(t.Scale)] + "." + s[len(s)-int(t.Scale):]
	if v.Sign() < 0 {
		s = "-" + s
	}
	return s
}

const microsPerDay = 86_400_000_000

func (p *printer) integer(v int64, t types.Type) {
	switch t.Kind {
	case types.Date:
		p.date(v)
	case types.Time:
		p.cast("'"+clock(v)+"'", t)
	case types.Timestamp, types.TimestampTZ:
		p.timestamp(v, t)
	case types.Decimal:
		p.cast("'"+scaled(big.NewInt(v), t)+"'", t)
	default:
		p.cast("'"+strconv.FormatInt(v, 10)+"'", t)
	}
}

// plainDays are those of the years 1 to 9999, whose texts need no era and no fifth digit.
const firstPlainDay, lastPlainDay = -719_162, 2_932_896

func (p *printer) date(days int64) {
	switch {
	case days == math.MaxInt32:
		p.WriteString("CAST('infinity' AS DATE)")
	case days == -math.MaxInt32:
		p.WriteString("CAST('-infinity' AS DATE)")
	case days < firstPlainDay || days > lastPlainDay:
		p.WriteString(fmt.Sprintf("(CAST('1970-01-01' AS DATE) + CAST(%d AS INTEGER))", days))
	default:
		p.WriteString(time.Unix(days*86400, 0).UTC().Format("CAST('2006-01-02' AS DATE)"))
	}
}

func clock(micros int64) string {
	s := micros / 1_000_000
	return fmt.Sprintf("%02d:%02d:%02d.%06d", s/3600, s/60%60, s%60, micros%1_000_000)
}

func (p *printer) timestamp(micros int64, t types.Type) {
	zone := ""
	if t.Kind == types.TimestampTZ {
		zone = "+00"
	}
	days := micros / microsPerDay
	switch {
	case micros == math.MaxInt64:
		p.cast("'infinity'", t)
	case micros == -math.MaxInt64:
		p.cast("'-infinity'", t)
	case days <= firstPlainDay || days > lastPlainDay:
		p.cast(fmt.Sprintf("make_timestamp(CAST(%d AS BIGINT))", micros), t)
	default:
		p.cast(time.UnixMicro(micros).UTC().Format("'2006-01-02 15:04:05.000000")+zone+"'", t)
	}
}

func (p *printer) bytes(v []byte, t types.Type) {
	var b strings.Builder
	for i, c := range v {
		if t.Kind == types.UUID {
			if i == 4 || i == 6 || i == 8 || i == 10 {
				b.WriteByte('-')
			}
			fmt.Fprintf(&b, "%02x", c)
			continue
		}
		fmt.Fprintf(&b, `\x%02X`, c)
	}
	p.cast("'"+b.String()+"'", t)
}

func (p *printer) members(v []any, t types.Type) {
	p.WriteString("CAST(")
	open, end := "[", "]"
	if t.Kind == types.Struct {
		open, end = "{", "}"
	}
	p.WriteString(open)
	for i, m := range v {
		if i > 0 {
			p.WriteString(", ")
		}
		if t.Kind == types.Struct {
			p.WriteString(quoted(t.Fields[i].Name) + ": ")
			p.constant(m, t.Fields[i].Type)
		} else {
			p.constant(m, *t.Elem)
		}
	}
	p.WriteString(end + " AS " + t.String() + ")")
}

func (p *printer) pairs(v [][2]any, t types.Type) {
	keys, values := make([]any, len(v)), make([]any, len(v))
	for i, pair := range v {
		keys[i], values[i] = pair[0], pair[1]
	}
	p.WriteString("CAST(map(")
	p.members(keys, types.ListOf(*t.Key))
	p.WriteString(", ")
	p.members(values, types.ListOf(*t.Elem))
	p.WriteString(") AS " + t.String() + ")")
}
