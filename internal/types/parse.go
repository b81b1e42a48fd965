package types

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseType reads a type as DuckDB spells it, in any case, with the usual synonyms
// (INT, TEXT, TIMESTAMPTZ, NUMERIC, ...). ENUM('a', 'b') is read as VARCHAR.
// A STRUCT field that is read from a JSON key other than its name says so: STRUCT(a_2 INT KEY 'A').
// It refuses TIMESTAMP_NS and other types that a stream cannot hold.
func ParseType(s string) (Type, error) {
	p := typeParser{rest: s}
	t, err := p.parse(0)
	if err != nil {
		return Type{}, err
	}
	if p.skip(); p.rest != "" {
		return Type{}, fmt.Errorf("unexpected %q after the type", p.rest)
	}
	return t, nil
}

var synonyms = map[string]Kind{
	"bool": Boolean, "boolean": Boolean, "logical": Boolean,
	"tinyint": TinyInt, "int1": TinyInt, "smallint": SmallInt, "int2": SmallInt, "int16": SmallInt, "short": SmallInt,
	"integer": Integer, "int": Integer, "int4": Integer, "int32": Integer, "signed": Integer,
	"bigint": BigInt, "int8": BigInt, "int64": BigInt, "long": BigInt, "oid": BigInt, "hugeint": HugeInt, "int128": HugeInt,
	"utinyint": UTinyInt, "uint8": UTinyInt, "usmallint": USmallInt, "uint16": USmallInt,
	"uinteger": UInteger, "uint32": UInteger, "ubigint": UBigInt, "uint64": UBigInt,
	"float": Float, "float4": Float, "real": Float, "double": Double, "float8": Double,
	"decimal": Decimal, "numeric": Decimal, "dec": Decimal,
	"varchar": Varchar, "text": Varchar, "string": Varchar, "char": Varchar, "bpchar": Varchar, "enum": Varchar,
	"blob": Blob, "bytea": Blob, "binary": Blob, "varbinary": Blob,
	"date": Date, "time": Time, "timestamp": Timestamp, "datetime": Timestamp, "timestamp_us": Timestamp,
	"timestamptz": TimestampTZ, "interval": Interval, "uuid": UUID, "guid": UUID, "json": JSON,
	"struct": Struct, "row": Struct, "map": Map, "list": List,
}

type typeParser struct{ rest string }

func (p *typeParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *typeParser) eat(s string) bool {
	p.skip()
	if len(p.rest) >= len(s) && strings.EqualFold(p.rest[:len(s)], s) {
		p.rest = p.rest[len(s):]
		return true
	}
	return false
}

func (p *typeParser) want(s string) error {
	if !p.eat(s) {
		return fmt.Errorf("expected %q in the type before %q", s, p.rest)
	}
	return nil
}

// word reads a bare or quoted identifier and returns it as written.
func (p *typeParser) word() string {
	p.skip()
	if strings.HasPrefix(p.rest, `"`) {
		for i := 1; i < len(p.rest); i++ {
			if p.rest[i] != '"' {
				continue
			}
			if i+1 < len(p.rest) && p.rest[i+1] == '"' {
				i++
				continue
			}
			w := strings.ReplaceAll(p.rest[1:i], `""`, `"`)
			p.rest = p.rest[i+1:]
			return w
		}
		return ""
	}
	i := 0
	for i < len(p.rest) && (p.rest[i] == '_' || p.rest[i] >= 0x80 || p.rest[i]|0x20 >= 'a' && p.rest[i]|0x20 <= 'z' || i > 0 && p.rest[i] >= '0' && p.rest[i] <= '9') {
		i++
	}
	w := p.rest[:i]
	p.rest = p.rest[i:]
	return w
}

func (p *typeParser) parse(depth int) (Type, error) {
	if depth > MaxDepth {
		return Type{}, fmt.Errorf("type nests deeper than %d", MaxDepth)
	}
	name := strings.ToLower(p.word())
	kind, ok := synonyms[name]
	if !ok {
		return Type{}, fmt.Errorf("unknown type %q", name)
	}
	t, err := p.parameters(Type{Kind: kind}, name, depth)
	if err != nil {
		return Type{}, err
	}
	for p.eat("[") {
		if err := p.want("]"); err != nil {
			return Type{}, err
		}
		if depth++; depth > MaxDepth {
			return Type{}, fmt.Errorf("type nests deeper than %d", MaxDepth)
		}
		t = ListOf(t)
	}
	return t, nil
}

// parameters reads what may follow a type's name.
func (p *typeParser) parameters(t Type, name string, depth int) (Type, error) {
	switch {
	case t.Kind == Decimal:
		return p.decimal()
	case t.Kind == Struct:
		return p.structure(depth)
	case t.Kind == Map:
		return p.mapping(depth)
	case t.Kind == List:
		return Type{}, fmt.Errorf("write a list as its element followed by []")
	case name == "double":
		p.eat("precision")
	case name == "enum":
		return t, p.parenthesis(true)
	case t.Kind == Varchar:
		return t, p.parenthesis(false)
	case t.Kind == Timestamp || t.Kind == Time:
		if p.skip(); strings.HasPrefix(p.rest, "(") {
			if err := p.parenthesis(false); err != nil {
				return Type{}, err
			}
		}
		if p.eat("with time zone") {
			if t.Kind == Time {
				return Type{}, fmt.Errorf("TIME WITH TIME ZONE is not supported; use TIMESTAMP WITH TIME ZONE")
			}
			t.Kind = TimestampTZ
		} else {
			p.eat("without time zone")
		}
	}
	return t, nil
}

// parenthesis skips "(...)": a length, which has no effect, or the values of an ENUM.
func (p *typeParser) parenthesis(required bool) error {
	if !p.eat("(") {
		if required {
			return fmt.Errorf("expected \"(\" in the type before %q", p.rest)
		}
		return nil
	}
	quoted := false
	for i := 0; i < len(p.rest); i++ {
		switch {
		case p.rest[i] == '\'':
			quoted = !quoted
		case p.rest[i] == ')' && !quoted:
			p.rest = p.rest[i+1:]
			return nil
		}
	}
	return fmt.Errorf("missing \")\" in the type")
}

func (p *typeParser) decimal() (Type, error) {
	if !p.eat("(") {
		return DecimalOf(18, 3), nil
	}
	precision, err := p.number()
	if err != nil {
		return Type{}, err
	}
	scale := 0
	if p.eat(",") {
		if scale, err = p.number(); err != nil {
			return Type{}, err
		}
	}
	if precision < 1 || precision > 38 || scale > precision {
		return Type{}, fmt.Errorf("DECIMAL(%d,%d): the precision is 1 to 38 and the scale at most the precision", precision, scale)
	}
	return DecimalOf(uint8(precision), uint8(scale)), p.want(")")
}

func (p *typeParser) number() (int, error) {
	p.skip()
	i := 0
	for i < len(p.rest) && p.rest[i] >= '0' && p.rest[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(p.rest[:i])
	if err != nil || n > 1000 {
		return 0, fmt.Errorf("expected a number in the type before %q", p.rest)
	}
	p.rest = p.rest[i:]
	return n, nil
}

func (p *typeParser) structure(depth int) (Type, error) {
	t := Type{Kind: Struct}
	if err := p.want("("); err != nil {
		return Type{}, err
	}
	seen, keys := map[string]bool{}, map[string]bool{}
	for {
		name := p.word()
		if name == "" {
			return Type{}, fmt.Errorf("expected a field name in the type before %q", p.rest)
		}
		if folded := strings.ToLower(name); seen[folded] {
			return Type{}, fmt.Errorf("STRUCT has two fields %q", name)
		} else {
			seen[folded] = true
		}
		ft, err := p.parse(depth + 1)
		if err != nil {
			return Type{}, err
		}
		f := Field{Name: name, Key: name, Type: ft}
		if p.eat("key") {
			if f.Key, err = p.text(); err != nil {
				return Type{}, err
			}
		}
		if keys[f.Key] {
			return Type{}, fmt.Errorf("STRUCT has two fields for the key %q", f.Key)
		}
		keys[f.Key] = true
		t.Fields = append(t.Fields, f)
		if !p.eat(",") {
			return t, p.want(")")
		}
	}
}

// text reads a string literal in single quotes.
func (p *typeParser) text() (string, error) {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, "'")
	for from := 0; ok; {
		n := strings.IndexByte(rest[from:], '\'')
		if n < 0 {
			break
		}
		if n += from; strings.HasPrefix(rest[n+1:], "'") {
			from = n + 2
			continue
		}
		p.rest = rest[n+1:]
		return strings.ReplaceAll(rest[:n], "''", "'"), nil
	}
	return "", fmt.Errorf("expected a text in single quotes in the type before %q", p.rest)
}

func (p *typeParser) mapping(depth int) (Type, error) {
	if err := p.want("("); err != nil {
		return Type{}, err
	}
	key, err := p.parse(depth + 1)
	if err != nil {
		return Type{}, err
	}
	if err := p.want(","); err != nil {
		return Type{}, err
	}
	value, err := p.parse(depth + 1)
	if err != nil {
		return Type{}, err
	}
	return MapOf(key, value), p.want(")")
}
