package expr

import (
	"fmt"
	"strconv"
	"strings"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/sql/print"
	"leat/internal/types"
)

// A hybrid has a kernel for the usual values only; rows with others (texts that aren't ASCII, numbers with blanks) go to the Evaluator, in
// one call for them all. easy computes row i of v from a VARCHAR, or reports false.
type hybrid func(v *zset.Vec, s []byte, i int) bool

// hybridOf returns e's hybrid; nil if it has none.
func hybridOf(e *plan.Expr) hybrid {
	if len(e.Args) != 1 || e.Args[0].Type.Kind != types.Varchar {
		return nil
	}
	switch {
	case e.Kind == plan.Cast:
		return parserOf(e.Type)
	case e.Kind != plan.Call:
		return nil
	}
	switch e.Name {
	case "lower", "lcase":
		return lower
	case "upper", "ucase":
		return upper
	}
	return nil
}

// hybrid makes the node of one.
func (c *compiler) hybrid(e *plan.Expr, easy hybrid) (node, error) {
	strict := e.Kind == plan.Cast && !e.Try
	text, err := print.Expr(&plan.Expr{Kind: e.Kind, Name: e.Name, Type: e.Type, Try: e.Try || strict, Args: []*plan.Expr{plan.Col(0, e.Args[0].Type)}, Place: -1},
		func(i int) string { return fmt.Sprintf("c%d", i) })
	if err != nil {
		return nil, err
	}
	arg, err := c.node(e.Args[0])
	if err != nil {
		return nil, err
	}
	ev := c.ev
	return eager(func(x *exec, args []operand) operand {
		v := x.vec(e.Type, x.n)
		v.Valid = args[0].Valid
		var hard []int32
		for i := range x.n {
			if isSet(v.Valid, i) && !easy(v, args[0].Bytes(i), i) {
				hard = append(hard, int32(i))
			}
			if v.Off != nil {
				v.Off[i+1] = int32(len(v.Data))
			}
		}
		if len(hard) == 0 {
			return operand{v, false}
		}
		o := x.finish(ev, text, v, args[0].Vec, hard)
		if strict {
			x.failWhereNull(o, args[0])
		}
		return o
	})([]node{arg}), nil
}

// strictCast leaves a cast without kernel to the Evaluator as TRY_CAST, which costs nothing where rows fail; nil where a NULL doesn't
// prove a failure (JSON's null) or the operand isn't at hand.
func (c *compiler) strictCast(e *plan.Expr) (node, error) {
	from := e.Args[0]
	if e.Kind != plan.Cast || e.Try || !varies(e) || from.Type.Kind.IsNested() || from.Type.Kind == types.JSON || !native(from) || c.ev == nil {
		return nil, nil
	}
	loose := *e
	loose.Try = true
	cast, err := c.fallback(&loose)
	if err != nil {
		return nil, err
	}
	arg, err := c.node(from)
	if err != nil {
		return nil, err
	}
	return func(x *exec) operand {
		a, o := arg(x), cast(x)
		x.failWhereNull(o, a)
		return o
	}, nil
}

// failWhereNull fails the rows that a cast of from made NULL.
func (x *exec) failWhereNull(cast, from operand) {
	for i := range x.n {
		if cast.null(i) && !from.null(i) {
			x.fail(i, cannotCast(from, i, cast.Type))
		}
	}
}

// maxShown is how many bytes of a text an error shows.
const maxShown = 64

func cannotCast(from operand, i int, to types.Type) *types.Error {
	if from.Type.Kind != types.Varchar {
		return types.Errorf(types.DataError, "a value of type %s cannot be converted to %s", from.Type, to)
	}
	s := from.text(i)
	if len(s) > maxShown {
		s = append(append([]byte(nil), s[:maxShown]...), "..."...)
	}
	return types.Errorf(types.DataError, "'%s' cannot be converted to %s", strings.ToValidUTF8(string(s), ""), to)
}

// finish computes the hard rows of v.
func (x *exec) finish(ev Evaluator, text string, v, in *zset.Vec, hard []int32) operand {
	cols, failed, err := ev.Evaluate([]string{text}, []types.Type{v.Type}, []*zset.Vec{zset.Gather(in, hard)}, len(hard))
	if err != nil {
		x.err = err
		return operand{v, false}
	}
	for at, reason := range failed[0] {
		x.fail(int(hard[at]), dataError(reason))
	}
	// Row i of the result is row i of v, or one of those that were computed now, which lie behind it.
	sel := make([]int32, x.n)
	for i := range sel {
		sel[i] = int32(i)
	}
	for at, i := range hard {
		sel[i] = int32(x.n + at)
	}
	w := func(v *zset.Vec, n int) *zset.Batch { return &zset.Batch{Cols: []*zset.Vec{v}, N: n} }
	both := zset.Concat([]types.Type{v.Type}, w(v, x.n), w(cols[0], len(hard)))
	return operand{zset.Gather(both.Cols[0], sel), false}
}

func lower(v *zset.Vec, s []byte, _ int) bool {
	at := len(v.Data)
	for _, c := range s {
		if c >= 0x80 {
			v.Data = v.Data[:at]
			return false
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		v.Data = append(v.Data, c)
	}
	return true
}

func upper(v *zset.Vec, s []byte, _ int) bool {
	at := len(v.Data)
	for _, c := range s {
		if c >= 0x80 {
			v.Data = v.Data[:at]
			return false
		}
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		v.Data = append(v.Data, c)
	}
	return true
}

// parserOf returns how the plainest texts of a type are read.
func parserOf(t types.Type) hybrid {
	switch {
	case smallInt(t):
		lo, hi := span(t.Kind)
		return func(v *zset.Vec, s []byte, i int) bool {
			n, ok := plainInt(s)
			v.I64[i] = n
			return ok && n >= lo && n <= hi
		}
	case floating(t):
		bits := 64
		if t.Kind == types.Float {
			bits = 32
		}
		return func(v *zset.Vec, s []byte, i int) bool {
			if !plainNumber(s) {
				v.F64[i] = 0
				return false
			}
			f, err := strconv.ParseFloat(string(s), bits)
			v.F64[i] = f
			return err == nil
		}
	case t.Kind == types.Boolean:
		return func(v *zset.Vec, s []byte, i int) bool {
			v.I64[i] = truth(string(s) == "true")
			return v.I64[i] == 1 || string(s) == "false"
		}
	case t.Kind == types.Date:
		return func(v *zset.Vec, s []byte, i int) bool {
			day, ok := plainDate(s)
			v.I64[i] = day
			return ok && len(s) == 10
		}
	case t.Kind == types.Timestamp:
		return func(v *zset.Vec, s []byte, i int) bool {
			micros, ok := plainTimestamp(s)
			v.I64[i] = micros
			return ok
		}
	}
	return nil
}

// plainInt reads an optional minus and at most 18 digits.
func plainInt(s []byte) (n int64, ok bool) {
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// plainNumber reports whether s is digits, perhaps with a minus before, a point between and an exponent behind.
func plainNumber(s []byte) bool {
	rest := strings.TrimPrefix(string(s), "-")
	digits := func() bool {
		n := 0
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		rest = rest[n:]
		return n > 0
	}
	if !digits() {
		return false
	}
	if strings.HasPrefix(rest, ".") {
		if rest = rest[1:]; !digits() {
			return false
		}
	}
	if rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		if rest = rest[1:]; rest != "" && (rest[0] == '-' || rest[0] == '+') {
			rest = rest[1:]
		}
		if !digits() {
			return false
		}
	}
	return rest == ""
}

// plainDate reads yyyy-mm-dd at the start of s.
func plainDate(s []byte) (int64, bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	y, ok1 := digitsOf(s[:4])
	m, ok2 := digitsOf(s[5:7])
	d, ok3 := digitsOf(s[8:10])
	if !ok1 || !ok2 || !ok3 || y == 0 || m < 1 || m > 12 || d < 1 || d > monthDays(y, m) {
		return 0, false
	}
	return dayOf(y, m, d), true
}

// plainTimestamp reads yyyy-mm-dd hh:mm:ss with at most six digits of a fraction; a T may be between.
func plainTimestamp(s []byte) (int64, bool) {
	day, ok := plainDate(s)
	if !ok || len(s) < 19 || s[10] != ' ' && s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	h, ok1 := digitsOf(s[11:13])
	m, ok2 := digitsOf(s[14:16])
	sec, ok3 := digitsOf(s[17:19])
	if !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || sec > 59 {
		return 0, false
	}
	micros := ((h*60+m)*60 + sec) * 1_000_000
	if f := s[19:]; len(f) > 0 {
		n, ok := digitsOf(f[1:])
		if f[0] != '.' || !ok || len(f) > 7 {
			return 0, false
		}
		for range 7 - len(f) {
			n *= 10
		}
		micros += n
	}
	return day*microsPerDay + micros, true
}

func digitsOf(s []byte) (n int64, ok bool) {
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(s) > 0
}
