package codec

import "bytes"

// csvReader splits CSV (RFC 4180: commas, double quotes, LF or CRLF) into lines of fields. Empty lines are skipped.
type csvReader struct {
	b       []byte
	start   int // of the current line
	pos     int // after it
	fields  []csvField
	scratch []byte
}

// csvField is one field; quoted tells the empty text "" from nothing, which is NULL.
type csvField struct {
	text   []byte
	quoted bool
}

func (f csvField) null() bool { return len(f.text) == 0 && !f.quoted }

// next reads one line into fields, which are valid until the next call. more is false at the end. A line with
// broken quotes has a fault and ends at its first line break.
func (r *csvReader) next() (fault string, more bool) {
	r.fields, r.scratch = r.fields[:0], r.scratch[:0]
	for r.pos < len(r.b) && (r.b[r.pos] == '\n' || r.b[r.pos] == '\r') {
		r.pos++
	}
	if r.start = r.pos; r.start == len(r.b) {
		return "", false
	}
	for {
		var f csvField
		if r.pos < len(r.b) && r.b[r.pos] == '"' {
			f, fault = r.quoted()
		} else {
			f, fault = r.bare()
		}
		if fault != "" {
			r.pos = lineEnd(r.b, r.start)
			return fault, true
		}
		r.fields = append(r.fields, f)
		if r.pos == len(r.b) || r.b[r.pos] != ',' {
			return "", true
		}
		r.pos++
	}
}

// bare reads a field without quotes up to the comma, line break or end that follows it.
func (r *csvReader) bare() (f csvField, fault string) {
	start := r.pos
	for ; r.pos < len(r.b); r.pos++ {
		switch r.b[r.pos] {
		case '"':
			return f, "a quote inside a field that is not quoted"
		case ',', '\n':
			f.text = r.b[start:r.pos]
			if r.b[r.pos] == '\n' {
				f.text = bytes.TrimSuffix(f.text, []byte("\r"))
			}
			return f, ""
		}
	}
	f.text = bytes.TrimSuffix(r.b[start:], []byte("\r"))
	return f, ""
}

func (r *csvReader) quoted() (f csvField, fault string) {
	f.quoted = true
	r.pos++
	from := len(r.scratch)
	for {
		n := bytes.IndexByte(r.b[r.pos:], '"')
		if n < 0 {
			return f, "a quoted field is not closed"
		}
		part := r.b[r.pos : r.pos+n]
		r.pos += n + 1
		if r.pos < len(r.b) && r.b[r.pos] == '"' {
			r.scratch = append(append(r.scratch, part...), '"')
			r.pos++
			continue
		}
		if f.text = part; len(r.scratch) > from {
			r.scratch = append(r.scratch, part...)
			f.text = r.scratch[from:]
		}
		break
	}
	if bytes.HasPrefix(r.b[r.pos:], []byte("\r\n")) {
		r.pos++
	}
	if r.pos < len(r.b) && r.b[r.pos] != ',' && r.b[r.pos] != '\n' {
		return f, "text after the closing quote of a field"
	}
	return f, ""
}

// lineEnd returns the index of the line break that ends the line around b[i], or len(b).
func lineEnd(b []byte, i int) int {
	if n := bytes.IndexByte(b[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(b)
}
