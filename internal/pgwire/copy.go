package pgwire

import (
	"context"
	"encoding/binary"
	"strings"

	"leat/internal/types"
)

// copyFormat is the form of COPY's data.
type copyFormat uint8

const (
	copyText copyFormat = iota
	copyCSV
	copyBinary
)

// copyOptions are those of COPY.
type copyOptions struct {
	format        copyFormat
	delimiter     byte
	null          string
	header        bool
	match         bool // the header must name the columns
	quote, escape byte
	forceQuote    bool
	nullGiven     bool
}

// copyStatement is COPY.
type copyStatement struct {
	copyOptions
	table string
	names []string // the columns that are given, none for all
	from  bool
	query *statement
	sub   *subscribe
}

func (s *session) copyCommand(r *reader, st *statement) (command, error) {
	c := &copyStatement{copyOptions: copyOptions{delimiter: 0, quote: '"'}}
	var queryText string
	offset := 0
	if r.is("(") {
		queryText, offset = bracketed(r)
		offset += st.offset
	} else {
		if c.table = r.ident(); c.table == "public" && r.accept(".") {
			c.table = r.ident()
		} else if r.accept(".") {
			c.table += "." + r.ident()
		}
		if r.accept("(") {
			for !r.accept(")") {
				name := r.ident()
				if name == "" || !r.accept(",") && !r.is(")") {
					return nil, syntax(r)
				}
				c.names = append(c.names, name)
			}
		}
	}
	switch {
	case queryText == "" && c.table == "":
		return nil, syntax(r)
	case queryText == "" && r.accept("FROM", "STDIN"):
		c.from = true
	case r.accept("TO", "STDOUT"):
	case r.is("FROM"), r.is("TO"):
		return nil, withState(types.Errorf(types.NotAllowed, "COPY reads from STDIN and writes to STDOUT only").WithHint(`in psql, \copy reads and writes the client's files`), "42501")
	default:
		return nil, syntax(r)
	}
	if err := c.options(r); err != nil {
		return nil, err
	}
	if c.from || s.tx == failed {
		return c, nil
	}
	return c, s.copyQuery(c, queryText, st.script, offset)
}

// bracketed takes a text in brackets, and where it begins.
func bracketed(r *reader) (text string, offset int) {
	r.advance()
	start, depth := r.tok.start, 1
	for !r.end() {
		switch {
		case r.is("("):
			depth++
		case r.is(")"):
			depth--
		}
		end := r.tok.start
		r.advance()
		if depth == 0 {
			return r.scanner.src[start:end], start
		}
	}
	return "", 0
}

// copyQuery prepares what COPY TO reads.
func (s *session) copyQuery(c *copyStatement, text, script string, offset int) (err error) {
	if sub := read(text); sub.is("SUBSCRIBE") {
		c.sub, err = parseSubscribe(sub)
		return err
	}
	if text == "" {
		names := make([]string, len(c.names))
		for i, n := range c.names {
			names[i] = types.QuoteIdent(n)
		}
		if len(names) == 0 {
			names = []string{"*"}
		}
		parts := strings.Split(c.table, ".")
		for i := range parts {
			parts[i] = types.QuoteIdent(parts[i])
		}
		script, offset = "", 0
		text = "SELECT " + strings.Join(names, ", ") + " FROM " + strings.Join(parts, ".")
	}
	c.query, err = s.prepareText(s.guardContext(), text, script, offset, nil)
	if err == nil && (c.query.columns == nil || c.query.command != nil) {
		err = failure("0A000", "COPY takes a SELECT or a SUBSCRIBE in brackets")
	}
	return err
}

// options reads WITH (...), and the form of old: CSV HEADER DELIMITER ','.
func (c *copyStatement) options(r *reader) error {
	r.accept("WITH")
	var err error
	if r.is("(") {
		err = withOptions(r, c.option)
	} else {
		err = c.oldOptions(r)
	}
	if err == nil && !r.end() {
		err = syntax(r)
	}
	if err != nil {
		return err
	}
	return c.complete()
}

func (c *copyStatement) oldOptions(r *reader) error {
	for !r.end() {
		switch {
		case r.accept("CSV"):
			c.format = copyCSV
		case r.accept("BINARY"):
			c.format = copyBinary
		case r.accept("HEADER"):
			c.header = true
		case r.is("DELIMITER"), r.is("NULL"), r.is("QUOTE"), r.is("ESCAPE"):
			name := strings.ToLower(r.src())
			r.advance()
			r.accept("AS")
			v, ok := r.value()
			if !ok {
				return syntax(r)
			}
			if err := c.option(name, v); err != nil {
				return err
			}
		default:
			return syntax(r)
		}
	}
	return nil
}

func (c *copyStatement) option(name, value string) error {
	one := func(to *byte) error {
		if len(value) != 1 || value[0] == '\n' || value[0] == '\r' {
			return failure("22023", "COPY %s must be a single one-byte character", name)
		}
		*to = value[0]
		return nil
	}
	switch name {
	case "format":
		f, ok := map[string]copyFormat{"text": copyText, "csv": copyCSV, "binary": copyBinary}[strings.ToLower(value)]
		if !ok {
			return failure("22023", "COPY format %.40q not recognized", value)
		}
		c.format = f
	case "delimiter":
		return one(&c.delimiter)
	case "quote":
		return one(&c.quote)
	case "escape":
		return one(&c.escape)
	case "null":
		if strings.ContainsAny(value, "\r\n") {
			return failure("22023", "COPY null representation cannot use newline or carriage return")
		}
		c.null, c.nullGiven = value, true
	case "header":
		c.match = strings.EqualFold(value, "match")
		on := value == "" || c.match
		if !on {
			var ok bool
			if on, ok = parseBool([]byte(value)); !ok {
				return failure("22023", "header requires a Boolean value or \"match\"")
			}
		}
		c.header = on
	case "encoding":
		if !strings.EqualFold(strings.ReplaceAll(value, "-", ""), "utf8") {
			return failure("22023", "COPY takes UTF8 only")
		}
	case "freeze":
	case "force_quote":
		c.forceQuote = true
	default:
		return failure("0A000", "option %.60q of COPY is not supported", name)
	}
	return nil
}

// complete fills in the defaults, which depend on the format.
func (c *copyStatement) complete() error {
	if c.delimiter == 0 {
		c.delimiter = map[copyFormat]byte{copyText: '\t', copyCSV: ','}[c.format]
	}
	if !c.nullGiven && c.format == copyText {
		c.null = `\N`
	}
	if c.escape == 0 {
		c.escape = c.quote
	}
	switch {
	case c.format == copyBinary && (c.header || c.nullGiven):
		return failure("42601", "cannot specify HEADER or NULL in BINARY mode")
	case c.format == copyText && strings.IndexByte(`\.abcdefghijklmnopqrstuvwxyz0123456789`, c.delimiter) >= 0:
		return failure("22023", "COPY delimiter cannot be %q", c.delimiter)
	case c.format == copyCSV && c.delimiter == c.quote:
		return failure("22023", "COPY delimiter and quote must be different")
	case c.format != copyBinary && c.null != "" && strings.IndexByte(c.null, c.delimiter) >= 0:
		return failure("22023", "COPY delimiter must not appear in the NULL specification")
	}
	return nil
}

func (*copyStatement) columns(*session) []column { return nil }

func (c *copyStatement) run(ctx context.Context, s *session, _ []any) (answer, error) {
	if c.from {
		if s.tx == idle { // what was written before comes first
			if err := s.commitPending(); err != nil {
				return answer{}, err
			}
		}
		n, err := s.copyIn(c)
		return answer{tag: "COPY " + itoa(int(n))}, err
	}
	var src source
	var columns []column
	if c.sub != nil {
		live, err := s.subscribe(ctx, c.sub)
		if err != nil {
			return answer{}, err
		}
		s.guard.again(s.guard.running(), 0) // it goes on until the client ends it
		live.begin(1<<62, waiting{})
		src, columns = live, live.shown
	} else {
		a, err := s.run(ctx, c.query, nil, nil)
		if err != nil {
			return answer{}, err
		}
		src, columns = a.source, c.query.columns
	}
	defer src.close()
	n, err := s.copyOut(ctx, c, src, columns)
	return answer{tag: "COPY " + itoa(int(n))}, err
}

// copyResponse appends CopyInResponse ('G') or CopyOutResponse ('H').
func (w *wire) copyResponse(kind byte, format int16, columns int) {
	at := w.begin(kind)
	w.out = append(w.out, byte(format))
	w.out = binary.BigEndian.AppendUint16(w.out, uint16(columns))
	for range columns {
		w.out = binary.BigEndian.AppendUint16(w.out, uint16(format))
	}
	w.finish(at)
}

// copySignature begins COPY's binary format.
const copySignature = "PGCOPY\n\xff\r\n\x00"

// copyOut sends rows as CopyData.
func (s *session) copyOut(ctx context.Context, c *copyStatement, src source, columns []column) (n int64, err error) {
	formats := []int16{textFormat}
	if c.format == copyBinary {
		formats[0] = binaryFormat
	}
	if a, ok := src.(*arrowSource); ok {
		a.fit(formats)
	}
	s.copyResponse('H', formats[0], len(columns))
	var first []byte // what goes before the first tuple, in its message as PostgreSQL has it
	if c.format == copyBinary {
		first = append([]byte(copySignature), 0, 0, 0, 0, 0, 0, 0, 0)
	}
	if c.header {
		at := s.begin('d')
		for i, col := range columns {
			if i > 0 {
				s.out = append(s.out, c.delimiter)
			}
			s.out = c.field(s.out, []byte(col.name), false)
		}
		s.out = append(s.out, '\n')
		s.finish(at)
	}
	live, _ := src.(*subscribeSource)
	var tuple []byte
	for {
		if live != nil {
			if live.drained() {
				if err := s.flush(); err != nil {
					return n, fatal{err}
				}
			}
			live.until, live.given = live.until.Add(maxWait), 0
		}
		var ok bool
		if tuple, ok, err = src.next(ctx, tuple[:0], formats); err != nil {
			return n, err
		}
		if !ok && live == nil {
			break
		}
		if !ok {
			continue
		}
		at := s.begin('d')
		if c.format == copyBinary {
			s.out = append(append(s.out, first...), tuple...)
			first = nil
		} else {
			s.out = c.line(s.out, tuple)
		}
		s.finish(at)
		if n++; s.tooMany(len(s.out) - at) {
			return n, withState(types.Errorf(types.LimitExceeded, "the answer has more than %d bytes, the limit of this token", s.principal.Limits.MaxBytes), "54000")
		}
		if len(s.out) >= flushAt {
			if err := s.flush(); err != nil {
				return n, fatal{err}
			}
			if ctx.Err() != nil {
				return n, context.Cause(ctx)
			}
		}
	}
	if c.format == copyBinary {
		s.message('d', append(first, 0xff, 0xff)...)
	}
	s.message('c')
	if src.truncated() {
		s.truncated(n)
	}
	s.server.meters.rows.Add(n)
	return n, nil
}

// line turns a tuple of texts into a line.
func (c *copyStatement) line(b, tuple []byte) []byte {
	f := fields{b: tuple}
	n := int(uint16(f.int16()))
	for i := range n {
		if i > 0 {
			b = append(b, c.delimiter)
		}
		size := f.int32()
		if size < 0 {
			b = append(b, c.null...)
			continue
		}
		b = c.field(b, f.take(int(size)), n == 1)
	}
	return append(b, '\n')
}

// field writes a value; alone says that it is the whole line.
func (c *copyStatement) field(b, v []byte, alone bool) []byte {
	if c.format == copyCSV {
		needs := c.forceQuote || string(v) == c.null || alone && string(v) == `\.`
		for _, x := range v {
			if x == c.delimiter || x == c.quote || x == c.escape || x == '\n' || x == '\r' {
				needs = true
			}
		}
		if !needs {
			return append(b, v...)
		}
		b = append(b, c.quote)
		for _, x := range v {
			if x == c.quote || x == c.escape {
				b = append(b, c.escape)
			}
			b = append(b, x)
		}
		return append(b, c.quote)
	}
	for _, x := range v {
		switch k := strings.IndexByte("\b\f\n\r\t\v", x); {
		case x == '\\' || x == c.delimiter && x != '\t':
			b = append(b, '\\', x)
		case k >= 0:
			b = append(b, '\\', "bfnrtv"[k])
		default:
			b = append(b, x)
		}
	}
	return b
}
