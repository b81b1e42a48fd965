package codec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"leat/internal/codec/jsonscan"
	"leat/internal/infer"
	"leat/internal/types"
)

// fault is why a record is refused. Its path grows from the inside out while the reader returns.
type fault struct {
	msg  string
	path []string // innermost first, as it is printed: .key or [3]
	// column is the top-level column at fault; mend what its ALTER must say.
	column *types.Column
	mend   string
	hint   string // instead of mend
	// syntax: the text itself is broken. rest: everything up to the end of the body is. widen: schema evolution may help.
	syntax, rest, widen bool
}

func (f *fault) in(key string) *fault {
	f.path = append(f.path, key)
	return f
}

// pathKey prints an object key as a step of a JSON path.
func pathKey(key string) string {
	for i := 0; i < len(key); i++ {
		if c := key[i]; c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c-'0' > 9) {
			return "[" + strconv.Quote(key) + "]"
		}
	}
	if key == "" {
		return `[""]`
	}
	return "." + key
}

// error prints the fault for users.
func (f *fault) error(opt *Options) *types.Error {
	slices.Reverse(f.path)
	e := types.Errorf(types.InvalidRecord, "%s", f.msg)
	if len(f.path) > 0 || f.column != nil {
		e.Path = "$" + strings.Join(f.path, "")
	}
	switch {
	case f.hint != "":
		e.Hint = f.hint
	case f.mend != "" && f.column != nil && opt.Name != "":
		e.Hint = f.statement(opt)
	}
	return e
}

// statement is the ALTER that would let the record in, or what to do where no ALTER can.
func (f *fault) statement(opt *Options) string {
	c, mend := f.column, f.mend
	retype := strings.HasPrefix(mend, "TYPE ")
	switch {
	case retype && c.Type.Kind.IsNested():
		mend = "TYPE JSON" // whatever may be wrong inside
	case c.Wide && mend == "TYPE DOUBLE":
		mend = "TYPE VARCHAR" // the integers beyond 2^53 that the column has don't fit
	}
	action := fmt.Sprintf("ALTER COLUMN %s %s", types.QuoteIdent(c.Name), mend)
	switch {
	case retype && (slices.Contains(opt.Key, c.ID) || slices.Contains(opt.Fixed, c.ID)):
		return fmt.Sprintf("column %s places or orders the rows: its type can't change, so mend the record", types.QuoteIdent(c.Name))
	case retype && c.ID == opt.EventTime && c.ID != 0:
		return alter(opt) + " DROP EVENT TIME, " + action
	}
	return alter(opt) + " " + action
}

func alter(opt *Options) string {
	kind := "STREAM"
	if len(opt.Key) > 0 {
		kind = "TABLE"
	}
	return "ALTER " + kind + " " + types.QuoteIdent(opt.Name)
}

// missing is the fault of a NULL where none may be.
func (s *state) missing(c *column, key bool) *fault {
	f := &fault{column: c.meta, msg: fmt.Sprintf("column %s is NOT NULL, but the record has no value for it", types.QuoteIdent(c.meta.Name)), mend: "DROP NOT NULL"}
	if key {
		f.msg = fmt.Sprintf("key column %s has no value", types.QuoteIdent(c.meta.Name))
		f.mend, f.hint = "", "send every column of the table's primary key"
	}
	for _, k := range slices.Backward(columnPath(c.meta)) {
		f.in(pathKey(k))
	}
	return f
}

// closed is the fault of a field, of the record itself or of a struct, that a closed schema does not know.
func (s *state) closed(key string, v []byte, top bool) *fault {
	f := &fault{msg: fmt.Sprintf("the schema has no field %q", key), mend: "TYPE JSON"}
	if top && s.opt.Name != "" {
		f.hint = fmt.Sprintf("%s ADD COLUMN %s %s", alter(s.opt), types.QuoteIdent(key), infer.Type(v))
	}
	return f
}

func syntaxFault(b []byte, at int, err jsonscan.Err) *fault {
	msg := err.String()
	if err == jsonscan.Unexpected && at < len(b) {
		msg = fmt.Sprintf("unexpected character %q", rune(b[at]))
	}
	return &fault{msg: msg, syntax: true}
}

// sizes and samples for messages.
func size(n int) string {
	if n%(1<<20) == 0 {
		return strconv.Itoa(n>>20) + " MiB"
	}
	return strconv.Itoa(n) + " bytes"
}

// sample prints the start of a value.
func sample(v []byte) string {
	const most = 40
	if len(v) > most {
		return strings.ToValidUTF8(string(v[:most]), "") + "..."
	}
	return string(v)
}

// misfit is the fault of a value that its column cannot hold.
func misfit(t types.Type, v []byte, why, mend string) *fault {
	return &fault{msg: fmt.Sprintf("%s %s %s", sample(v), why, t), mend: mend}
}

// notA is the fault of a value of another kind than its column's.
func notA(t types.Type, v []byte, mend string) *fault {
	return misfit(t, v, "is not "+article(t), mend)
}

// quote puts the value at the start of a misfit's message in quotes, because it came as text.
func (f *fault) quote(v []byte) *fault {
	s := sample(v)
	if rest, ok := strings.CutPrefix(f.msg, s); ok {
		f.msg = strconv.Quote(s) + rest
	}
	return f
}

// article is the one that a type's name needs: an INTEGER, a UUID.
func article(t types.Type) string {
	if strings.ContainsRune("AEIO", rune(t.String()[0])) {
		return "an"
	}
	return "a"
}

func columnPath(c *types.Column) []string {
	if len(c.Path) == 0 {
		return []string{c.Name}
	}
	return c.Path
}
