package pgwire

import (
	"bytes"
)

// tuple reads one row of the binary format.
func (in *copyInput) tuple() (more, row bool, err error) {
	f := fields{b: in.buf[in.at:]}
	if !in.begun {
		if len(f.b) < len(copySignature)+8 {
			return false, false, nil
		}
		if string(f.take(len(copySignature))) != copySignature {
			return false, false, failure("22P04", "COPY file signature not recognized")
		}
		f.int32()
		extra := f.int32()
		if extra < 0 || extra > maxCopyLine {
			return false, false, failure("22P04", "invalid COPY file header (wrong length)")
		}
		if f.take(int(extra)); f.bad {
			return false, false, nil
		}
		in.begun = true
		in.at = len(in.buf) - len(f.b)
		return true, false, nil
	}
	n := f.int16()
	if f.bad {
		return false, false, nil
	}
	if n == -1 {
		in.ended = true
		return true, false, nil
	}
	if int(n) != len(in.columns) {
		return false, false, failure("22P04", "row field count is %d, expected %d", n, len(in.columns))
	}
	for range n {
		size := f.int32()
		if f.bad {
			return false, false, nil
		}
		if size < -1 || size > maxCopyLine {
			return false, false, failure("22P03", "invalid field size")
		}
		var v []byte
		if size >= 0 {
			if v = f.take(int(size)); f.bad {
				return false, false, nil
			}
			if v == nil {
				v = []byte{}
			}
		}
		in.fields = append(in.fields, v)
	}
	in.line++
	in.at = len(in.buf) - len(f.b)
	return true, true, nil
}

// textLine reads one line of the text format.
func (in *copyInput) textLine(end bool) (more, row bool, err error) {
	rest := in.buf[in.at:]
	n, size := -1, 0
	for i := 0; i < len(rest); i++ {
		if rest[i] == '\\' {
			i++
			continue
		}
		if rest[i] == '\n' {
			n, size = i, i+1
			break
		}
	}
	if n < 0 {
		if !end || len(rest) == 0 {
			return false, false, nil
		}
		n, size = len(rest), len(rest)
	}
	line := bytes.TrimSuffix(rest[:n], []byte{'\r'})
	in.at += size
	in.line++
	if string(line) == `\.` {
		in.ended = true
		return true, false, nil
	}
	if len(line) == 0 && len(in.columns) == 0 {
		return true, true, nil
	}
	from := 0
	for i := 0; i <= len(line); i++ {
		if i < len(line) && line[i] == '\\' {
			i++
			continue
		}
		if i == len(line) || line[i] == in.delimiter {
			in.fields = append(in.fields, in.textField(line[from:min(i, len(line))]))
			from = i + 1
		}
	}
	if from <= len(line) && from > 0 && from == len(line)+1 {
		return true, true, nil
	}
	if from <= len(line) { // a backslash at the very end
		in.fields = append(in.fields, in.textField(line[from:]))
	}
	return true, true, nil
}

// textField resolves backslashes; nil is NULL.
func (in *copyInput) textField(raw []byte) []byte {
	if string(raw) == in.null {
		return nil
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			out = append(out, raw[i])
			continue
		}
		i++
		switch c := raw[i]; {
		case c >= '0' && c <= '7':
			v := 0
			for k := 0; k < 3 && i < len(raw) && raw[i] >= '0' && raw[i] <= '7'; k++ {
				v = v*8 + int(raw[i]-'0')
				i++
			}
			i--
			out = append(out, byte(v))
		case c == 'x' && i+1 < len(raw) && hexDigit(raw[i+1]) >= 0:
			v := 0
			for k := 0; k < 2 && i+1 < len(raw) && hexDigit(raw[i+1]) >= 0; k++ {
				i++
				v = v*16 + hexDigit(raw[i])
			}
			out = append(out, byte(v))
		default:
			if k := bytes.IndexByte([]byte("bfnrtv"), c); k >= 0 {
				c = "\b\f\n\r\t\v"[k]
			}
			out = append(out, c)
		}
	}
	return out
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// csvLine reads one record of CSV, which may have line breaks in quotes.
func (in *copyInput) csvLine(end bool) (more, row bool, err error) {
	rest := in.buf[in.at:]
	if len(rest) == 0 {
		return false, false, nil
	}
	size := csvEnd(rest, in.quote, in.escape)
	whole := rest
	if size < 0 {
		if !end {
			return false, false, nil
		}
		if size = len(rest); csvOpen(rest, in.quote, in.escape) {
			in.line++
			return false, false, failure("22P04", "unterminated CSV quoted field")
		}
	} else {
		whole = rest[:size-1]
	}
	whole = bytes.TrimSuffix(whole, []byte{'\r'})
	in.at += size
	in.line++
	if string(whole) == `\.` {
		in.ended = true
		return true, false, nil
	}
	in.csvFields(whole)
	return true, true, nil
}

// csvEnd returns the place after the line break that ends a record, -1 where there is none.
func csvEnd(b []byte, quote, escape byte) int {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == escape && escape != quote:
			i++
		case c == quote:
			quoted = !quoted
		case c == '\n' && !quoted:
			return i + 1
		}
	}
	return -1
}

func csvOpen(b []byte, quote, escape byte) bool {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == escape && escape != quote:
			i++
		case c == quote:
			quoted = !quoted
		}
	}
	return quoted
}

// csvFields cuts a record into fields; what was not in quotes and equals the null text is NULL.
func (in *copyInput) csvFields(b []byte) {
	for i := 0; ; i++ {
		var out []byte
		wasQuoted, quoted, from := false, false, i
		for ; i < len(b); i++ {
			c := b[i]
			switch {
			case quoted && c == in.escape && i+1 < len(b) && (b[i+1] == in.quote || b[i+1] == in.escape):
				i++
				out = append(out, b[i])
				continue
			case c == in.quote:
				if !wasQuoted {
					out = append(out, b[from:i]...)
				}
				quoted, wasQuoted = !quoted, true
				continue
			case c == in.delimiter && !quoted:
			default:
				if wasQuoted {
					out = append(out, c)
				}
				continue
			}
			break
		}
		switch {
		case wasQuoted:
			if out == nil {
				out = []byte{}
			}
		case string(b[from:i]) == in.null:
			out = nil
		default:
			out = b[from:i:i]
		}
		in.fields = append(in.fields, out)
		if i >= len(b) {
			return
		}
	}
}
