package ddl

import (
	"strconv"
	"strings"

	"leat/internal/types"
)

// Columns are the columns of a schema as a CREATE names them.
func Columns(s *types.Schema) []Column {
	out := make([]Column, 0, len(s.Columns))
	for _, c := range s.Columns {
		path := c.Path
		if len(path) == 0 {
			path = []string{c.Name}
		}
		out = append(out, Column{Name: Ident{Name: c.Name}, Type: c.Type, NotNull: c.NotNull, Path: path})
	}
	return out
}

// TimeClauses are what a CREATE says of a rule: the WATERMARK clause, nil for none, and in o the options that are not their defaults.
func TimeClauses(s *types.Schema, rule types.TimeRule, o *Options) *Watermark {
	if rule.MaxFuture != 0 {
		o.MaxFuture = &rule.MaxFuture
	}
	if rule.Idle != 0 {
		idle := max(rule.Idle, 0)
		o.Idle = &idle
	}
	i := s.IndexID(rule.Column)
	if rule.Column == 0 || i < 0 {
		return nil
	}
	at := Ident{Name: s.Columns[i].Name}
	if rule.Watermarked {
		return &Watermark{Column: at, Delay: rule.Delay}
	}
	o.EventTime = &at
	return nil
}

// StreamOf is the statement that makes a stream of that schema and rule.
func StreamOf(name string, s *types.Schema, rule types.TimeRule) *CreateStream {
	st := &CreateStream{Head: Head{Name: ObjectName{Name: name}}, Columns: Columns(s)}
	st.Watermark = TimeClauses(s, rule, &st.Options)
	return st
}

// ReplaceParams returns the text of a query with each parameter replaced by what with says for its name (in lower case) or number.
func ReplaceParams(query string, with func(name string) string) string {
	var b strings.Builder
	l := lexer{src: query}
	last, positional := 0, 0
	for t := l.next(); t.kind != end && t.kind != broken; t = l.next() {
		if t.kind != param {
			continue
		}
		name := foldASCII(query[t.start+1 : t.end])
		if name == "" {
			positional++
			name = strconv.Itoa(positional)
		}
		b.WriteString(query[last:t.start] + with(name))
		last = t.end
	}
	return b.String() + query[last:]
}
