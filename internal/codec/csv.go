package codec

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"leat/internal/codec/jsonscan"
	"leat/internal/types"
)

// csvColumn is where a field of each line goes; all zero for a header that the schema does not know.
type csvColumn struct {
	col  *column
	skip *types.Column // that is not read
	op   bool
}

// key is the JSON key that fills the same column; empty if a single one doesn't.
func (c csvColumn) key() string {
	meta := c.skip
	if c.col != nil {
		meta = c.col.meta
	}
	if c.op || len(columnPath(meta)) > 1 {
		return ""
	}
	return columnPath(meta)[0]
}

// csv reads lines of fields under a header.
func (s *state) csv() error {
	r := &csvReader{b: s.b, pos: s.start}
	header, err := csvHeader(r)
	if err != nil || header == nil {
		return err
	}
	to, keys := make([]csvColumn, len(header)), slices.Clone(header)
	for i, name := range header {
		if to[i] = s.csvTarget(name); to[i] != (csvColumn{}) {
			keys[i] = to[i].key()
		}
	}
	var learn [][]csvField
	for {
		broken, more := r.next()
		if !more {
			s.unknown = csvJSON(keys, learn)
			return nil
		}
		s.start = r.start
		f := &fault{msg: broken}
		switch {
		case broken == "" && len(r.fields) != len(header):
			f.msg = fmt.Sprintf("the line has %d fields, the header %d", len(r.fields), len(header))
		case broken == "":
			f = s.csvRow(r.fields, header, to)
		}
		if (f == nil && s.strange || f != nil && f.widen) && len(learn) < maxUnknown {
			learn = append(learn, cloneFields(r.fields))
		}
		s.strange = false
		if f != nil {
			f.widen = false // learnt above: what settle would keep is not JSON
		}
		if err := s.settle(trimCR(s.b, r.pos), f); err != nil {
			return err
		}
	}
}

func cloneFields(fields []csvField) []csvField {
	out := slices.Clone(fields)
	for i := range out {
		out[i].text = bytes.Clone(out[i].text)
	}
	return out
}

func trimCR(b []byte, end int) int {
	if end > 0 && end < len(b) && b[end-1] == '\r' {
		end--
	}
	return end
}

// csvHeader reads the header line; nil if the body is empty.
func csvHeader(r *csvReader) ([]string, error) {
	broken, more := r.next()
	if !more {
		return nil, nil
	}
	fail := func(format string, args ...any) ([]string, error) {
		return nil, types.Errorf(types.InvalidArgument, "CSV header: "+format, args...).
			WithHint("the first line must name each column once")
	}
	if broken != "" {
		return fail("%s", broken)
	}
	if len(r.fields) > types.MaxColumns {
		return fail("%d columns; the limit is %d", len(r.fields), types.MaxColumns)
	}
	var header []string
	seen := map[string]bool{}
	for _, f := range r.fields {
		name := string(f.text)
		if !utf8.ValidString(name) {
			return fail("%q is not valid UTF-8", name)
		}
		if err := types.CheckColumnName(name); err != nil {
			return fail("%s", types.AsError(err).Message)
		}
		if seen[name] {
			return fail("%q appears twice", name)
		}
		seen[name] = true
		header = append(header, name)
	}
	return header, nil
}

// csvTarget finds the column of a header: by its JSON path joined by points, else by its name without case.
func (s *state) csvTarget(name string) csvColumn {
	if s.table && name == "_op" {
		return csvColumn{op: true}
	}
	for _, is := range []func(*types.Column) bool{
		func(c *types.Column) bool { return strings.Join(columnPath(c), ".") == name },
		func(c *types.Column) bool { return strings.EqualFold(c.Name, name) },
	} {
		for _, c := range s.columns {
			if is(c.meta) {
				return csvColumn{col: c}
			}
		}
		for _, c := range s.skipped {
			if is(c) {
				return csvColumn{skip: c}
			}
		}
	}
	return csvColumn{}
}

func (s *state) csvRow(fields []csvField, header []string, to []csvColumn) *fault {
	s.tick++
	for i, field := range fields {
		if field.null() || to[i].skip != nil {
			continue
		}
		f := s.csvValue(field.text, header[i], to[i])
		if f != nil {
			if to[i].col != nil {
				f.column = to[i].col.meta
			}
			return f.in(pathKey(header[i]))
		}
	}
	return nil
}

func (s *state) csvValue(text []byte, name string, to csvColumn) *fault {
	if bytes.IndexByte(text, 0) >= 0 {
		return &fault{msg: jsonscan.NUL.String()}
	}
	if !utf8.Valid(text) {
		return &fault{msg: jsonscan.BadUTF8.String()}
	}
	switch {
	case to.op:
		return s.csvOperation(text)
	case to.col == nil:
		if s.opt.Closed {
			return s.closed(name, text, true)
		}
		s.strange = true
		return nil
	case to.col.n != s.row:
		return &fault{msg: fmt.Sprintf("two headers name column %s", types.QuoteIdent(to.col.meta.Name))}
	case to.col.typ.Kind == types.JSON || to.col.typ.Kind.IsNested():
		return s.csvJSONValue(to.col, text)
	}
	f := s.putText(to.col, text)
	if f != nil && to.col.typ.Kind == types.BigInt && f.mend == "TYPE DOUBLE" {
		f.widen = !to.col.meta.Wide
	}
	return f
}

func (s *state) csvOperation(text []byte) *fault {
	switch string(text) {
	case "d":
		s.remove = true
	case "u", "i", "c", "r":
	default:
		return badOperation(text)
	}
	return nil
}

// csvJSONValue reads a field that holds JSON.
func (s *state) csvJSONValue(c *column, text []byte) *fault {
	i := jsonscan.Space(text, 0)
	end, err := jsonscan.Skip(text, i)
	if err != jsonscan.OK || jsonscan.Space(text, end) != len(text) {
		return &fault{msg: fmt.Sprintf("%q is not JSON, as a column of type %s needs", sample(text), c.typ), mend: "TYPE VARCHAR"}
	}
	body := s.b
	s.b = text
	_, f := s.general(c, i)
	s.b = body
	return f
}

// csvJSON prints lines as JSON objects of their fields that have a key and are not NULL. Fields of a column whose texts are all JSON numbers, or
// all true or false, are written as such, so that inference sees their type.
func csvJSON(keys []string, lines [][]csvField) [][]byte {
	number, boolean := make([]bool, len(keys)), make([]bool, len(keys))
	for i := range keys {
		number[i], boolean[i] = true, true
		for _, fields := range lines {
			if f := fields[i]; !f.null() {
				number[i] = number[i] && isNumber(f.text)
				boolean[i] = boolean[i] && isBool(f.text)
			}
		}
	}
	var out [][]byte
	for _, fields := range lines {
		dst := []byte{'{'}
		for i, f := range fields {
			if f.null() || keys[i] == "" {
				continue
			}
			if len(dst) > 1 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, []byte(keys[i])), ':')
			if number[i] || boolean[i] {
				dst = append(dst, f.text...)
			} else {
				dst = appendString(dst, f.text)
			}
		}
		out = append(out, append(dst, '}'))
	}
	return out
}

func isBool(text []byte) bool { return string(text) == "true" || string(text) == "false" }

func isNumber(text []byte) bool {
	end, _, err := jsonscan.Number(text, 0)
	return err == jsonscan.OK && end == len(text)
}

// appendString appends text as a JSON string.
func appendString(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
