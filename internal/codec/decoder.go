package codec

import (
	"bytes"
	"slices"
	"sort"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/codec/jsonscan"
	"leat/internal/types"
)

// Bounds of one Decode.
const (
	DefaultMaxRecord = 16 << 20  // bytes of one record
	maxBody          = 1 << 30   // bytes of a body: string columns have 32-bit offsets
	maxPadding       = 32 << 20  // NULLs for fields that records leave out
	maxRejects       = 1_000_000 // records refused
	maxUnknown       = 1000      // records kept for schema evolution
	maxRaw           = 64 << 10  // bytes kept of a record over MaxRecord, or of an unreadable rest
)

// Options says how the records of a stream or table are read. The zero value is an open stream without a name.
type Options struct {
	// Name is the stream's or table's, for hints.
	Name string
	// Key are the IDs of a table's primary key columns; none is a stream. In a table's records the field _op
	// may be "d", a delete by key, or "u", "i", "c", "r" or absent, an upsert.
	Key []int32
	// Fixed are the IDs of columns whose type can't change: those that place or order rows. EventTime is that of the event time, which
	// can change once it is no longer that; 0 is none. Hints mind them.
	Fixed     []int32
	EventTime int32
	// Closed rejects records with fields that the schema does not know.
	Closed bool
	// MaxRecord is how many bytes one record may have; 0 is DefaultMaxRecord.
	MaxRecord int
	// Columns are the positions of the schema's columns to read; nil is all. The others are NULL in every row, and of their values
	// nothing is checked but that the text is well-formed: neither type nor NOT NULL, and a CSV field not at all. A table's must have its
	// key, or deletes and upserts are told from nothing.
	Columns []int
}

// Decoded is what a body held.
type Decoded struct {
	// Batch has the accepted records in order; it may have no rows. It owns its memory.
	Batch *types.Batch
	// Rejects are the records that were refused, in order.
	Rejects []Reject
	// Unknown are up to 1,000 records, as JSON, from which infer.Evolve may learn: they have a value in a field that the schema
	// does not know (and are accepted without it, unless Closed), or one that a wider column would take (and are rejected).
	Unknown [][]byte
	// Wide are the IDs of BIGINT columns in which an integer beyond +-2^53 was seen.
	Wide []int32
}

// Record returns the number, from 0, of the record that became that row.
func (d *Decoded) Record(row int) int {
	before := sort.Search(len(d.Rejects), func(i int) bool { return d.Rejects[i].Record-i > row })
	return row + before
}

// Reject is a record that could not be used.
type Reject struct {
	// Record is its number in the body from 0, Line its first line from 1, Offset its first byte.
	Record, Line, Offset int
	// Raw is the record as sent; of one over MaxRecord, or of a rest that cannot be told apart, the first 64 KiB.
	Raw []byte
	// Err has code types.InvalidRecord, the JSON path, and a hint with the statement that would let the record in.
	Err *types.Error
}

// Decoder reads bodies by one version of a schema. It is immutable and safe for concurrent use.
type Decoder struct {
	schema *types.Schema
	opt    Options
	pool   sync.Pool // of *state
}

// NewDecoder makes a decoder for a valid schema.
func NewDecoder(schema *types.Schema, opt Options) *Decoder {
	if opt.MaxRecord <= 0 {
		opt.MaxRecord = DefaultMaxRecord
	}
	d := &Decoder{schema: schema, opt: opt}
	d.pool.New = func() any { return newState(schema, &d.opt) }
	return d
}

// Schema is the version that the decoder reads by.
func (d *Decoder) Schema() *types.Schema { return d.schema }

// Decode reads a whole body. Faults of single records are Rejects; an error means that the body as a whole cannot be
// used: it is too large (types.PayloadTooLarge), or CSV without a usable header (types.InvalidArgument). The result shares no memory with body.
func (d *Decoder) Decode(body []byte, f Format) (*Decoded, error) {
	if len(body) > maxBody {
		return nil, types.Errorf(types.PayloadTooLarge, "the body has more than %d bytes", maxBody).WithHint("send it in several requests")
	}
	s := d.pool.Get().(*state)
	defer d.pool.Put(s)
	s.reset(body)
	defer s.reset(nil)
	if bytes.HasPrefix(body, bom) {
		s.start = len(bom)
	}
	var err error
	switch f {
	case CSV:
		err = s.csv()
	case JSONArray:
		err = s.array()
	case NDJSON:
		err = s.records()
	default:
		err = types.Errorf(types.UnsupportedMedia, "a %s body cannot be decoded record by record", f).WithHint("use leat send FILE")
	}
	if err != nil {
		return nil, err
	}
	return s.decoded(), nil
}

// state is the working memory of one Decode: the columns under construction and where reading has got to.
type state struct {
	opt     *Options
	schema  *types.Schema
	columns []*column       // that are read
	skipped []*types.Column // that are not
	nulls   []arrow.Array   // by column of the schema, of those that are not read
	root    object
	table   bool
	isKey   []bool // by column
	open    []int  // the columns that may not be NULL: NOT NULL or key

	b       []byte
	start   int // of the current record
	row     int // accepted records
	record  int // records seen
	line    int // of lined, from 1
	lined   int // offset up to which lines were counted
	rescans int // bytes of records with faults; a budget on it keeps hostile bodies linear
	padding int // NULLs filled in
	text    []byte

	tick    int  // numbers records over all bodies
	strange bool // the current record has something for Unknown
	remove  bool // the current record is a delete
	weights []int64
	rejects []Reject
	unknown [][]byte
}

func newState(schema *types.Schema, opt *Options) *state {
	s := &state{opt: opt, schema: schema, table: len(opt.Key) > 0}
	for i := range schema.Columns {
		c := &schema.Columns[i]
		if opt.Columns != nil && !slices.Contains(opt.Columns, i) {
			s.skipped = append(s.skipped, c)
			s.root.place(c, nil)
			continue
		}
		col := newColumn(c.Type)
		col.meta = c
		key := slices.Contains(opt.Key, c.ID)
		if c.NotNull || key {
			s.open = append(s.open, len(s.columns))
		}
		s.columns, s.isKey = append(s.columns, col), append(s.isKey, key)
		s.root.place(c, col)
	}
	if s.table {
		s.root.add("_op", &field{op: true})
	}
	return s
}

func (s *state) reset(body []byte) {
	for _, c := range s.columns {
		c.truncate(0)
		c.wide = false
	}
	s.b, s.start, s.row, s.record, s.line, s.lined, s.rescans, s.padding = body, 0, 0, 0, 1, 0, 0, 0
	s.strange, s.remove, s.weights, s.rejects, s.unknown = false, false, nil, nil, nil
}

func (s *state) decoded() *Decoded {
	out := &Decoded{Batch: &types.Batch{Schema: s.schema, Rows: s.row, Weights: s.weights}, Rejects: s.rejects, Unknown: s.unknown}
	for _, c := range s.columns {
		if c.wide {
			out.Wide = append(out.Wide, c.meta.ID)
		}
	}
	read := finish(s.columns)
	for i := range s.schema.Columns {
		c := &s.schema.Columns[i]
		if len(read) > 0 && s.columns[len(s.columns)-len(read)].meta == c {
			out.Batch.Columns = append(out.Batch.Columns, read[0])
			read = read[1:]
		} else {
			out.Batch.Columns = append(out.Batch.Columns, s.unread(i))
		}
	}
	return out
}

// unread returns NULLs for column i; bodies share them.
func (s *state) unread(i int) arrow.Array {
	if s.nulls == nil {
		s.nulls = make([]arrow.Array, len(s.schema.Columns))
	}
	if s.nulls[i] == nil || s.nulls[i].Len() < s.row {
		s.nulls[i] = array.MakeArrayOfNull(memory.DefaultAllocator, s.schema.Columns[i].Type.Arrow(), s.row+s.row/8)
	}
	return array.NewSlice(s.nulls[i], 0, int64(s.row))
}

// commit ends an accepted record: fields that it left out become NULL.
func (s *state) commit() *fault {
	for _, c := range s.columns {
		if c.n == s.row {
			c.null()
			s.padding++
		}
	}
	if s.remove {
		for i, c := range s.columns {
			if !s.isKey[i] {
				c.truncate(s.row)
				c.null()
			}
		}
	}
	for _, i := range s.open {
		if c := s.columns[i]; c.isNull(s.row) && (!s.remove || s.isKey[i]) {
			return s.missing(c, s.isKey[i])
		}
	}
	if s.table {
		weight := int64(1)
		if s.remove {
			weight = -1
		}
		s.weights = append(s.weights, weight)
	}
	s.row++
	return nil
}

// settle ends the record b[start:end], which was read with fault f or none: it is accepted or rejected, and learnt from.
func (s *state) settle(end int, f *fault) error {
	if end-s.start > s.opt.MaxRecord {
		f = &fault{msg: "the record is larger than the limit of " + size(s.opt.MaxRecord)}
		s.strange = false
	}
	if f == nil {
		f = s.commit()
	}
	if (s.strange || f != nil && f.widen) && len(s.unknown) < maxUnknown {
		s.unknown = append(s.unknown, bytes.Clone(s.b[s.start:end]))
	}
	if f != nil {
		if err := s.reject(s.b[s.start:end], f); err != nil {
			return err
		}
	}
	s.strange, s.remove = false, false
	s.record++
	if s.padding > maxPadding {
		return types.Errorf(types.PayloadTooLarge, "the records leave out too many fields: %d NULLs would have to be stored", s.padding).
			WithHint("send the body in several requests")
	}
	return nil
}

// reject drops what the current record put into columns and keeps its bytes.
func (s *state) reject(raw []byte, f *fault) error {
	for _, c := range s.columns {
		c.truncate(s.row)
	}
	if len(s.rejects) == maxRejects {
		return types.Errorf(types.PayloadTooLarge, "more than %d records cannot be used; the first: %s", maxRejects, s.rejects[0].Err.Message).
			WithHint("send the body in several requests")
	}
	s.line += bytes.Count(s.b[s.lined:s.start], []byte("\n"))
	s.lined = s.start
	if len(raw) > s.opt.MaxRecord || f.rest {
		raw = raw[:min(len(raw), maxRaw)]
	}
	s.rejects = append(s.rejects, Reject{Record: s.record, Line: s.line, Offset: s.start, Raw: bytes.Clone(raw), Err: f.error(s.opt)})
	return nil
}

// array reads one JSON array of records. Where the end of a broken record cannot be told, the rest of the body is one reject.
func (s *state) array() error {
	i := jsonscan.Space(s.b, s.start)
	if i == len(s.b) {
		return nil
	}
	if s.b[i] != '[' {
		return s.records()
	}
	if i = jsonscan.Space(s.b, i+1); i < len(s.b) && s.b[i] == ']' {
		return s.trailing(i + 1)
	}
	for {
		if s.start = jsonscan.Space(s.b, i); s.start == len(s.b) {
			return s.rest(&fault{msg: "the array is not closed"})
		}
		end, f := s.one()
		if f != nil && f.syntax {
			var balanced bool
			if end, balanced = jsonscan.Balance(s.b, s.start); !balanced {
				return s.rest(f)
			}
		}
		if err := s.settle(end, f); err != nil {
			return err
		}
		i = jsonscan.Space(s.b, end)
		switch {
		case i < len(s.b) && s.b[i] == ',':
			i++
		case i < len(s.b) && s.b[i] == ']':
			return s.trailing(i + 1)
		default:
			s.start = i
			return s.rest(&fault{msg: "the array is not closed"})
		}
	}
}

// trailing rejects what follows the array.
func (s *state) trailing(i int) error {
	if s.start = jsonscan.Space(s.b, i); s.start == len(s.b) {
		return nil
	}
	return s.rest(&fault{msg: "unexpected text after the array"})
}

// rest rejects everything from the current record on.
func (s *state) rest(f *fault) error {
	f.rest = true
	return s.settle(len(s.b), f)
}

// records reads JSON objects one after another.
func (s *state) records() error {
	spread := false // records go over several lines
	for {
		if s.start = jsonscan.Space(s.b, s.start); s.start == len(s.b) {
			return nil
		}
		end, f := s.one()
		if f != nil && f.syntax {
			if s.rescans > 8*len(s.b) {
				return s.rest(f)
			}
			end = s.resume(spread)
		} else if !spread {
			spread = s.row < 8 && bytes.IndexByte(s.b[s.start:end], '\n') >= 0
		}
		if err := s.settle(end, f); err != nil {
			return err
		}
		s.start = end
	}
}

// resume finds the end of a record whose syntax is broken. On lines it is the end of its line;
// where records are spread over lines, the next line that starts with a brace ends it.
func (s *state) resume(spread bool) int {
	end := lineEnd(s.b, s.start)
	if first := bytes.TrimSpace(s.b[s.start:end]); len(first) == 1 && first[0] == '{' {
		spread = true
	}
	for spread && end+1 < len(s.b) && s.b[end+1] != '{' {
		end = lineEnd(s.b, end+1)
	}
	return end
}

// one reads the record at s.start. It returns the end of its text even where its values have a fault, but
// not where the syntax has.
func (s *state) one() (end int, f *fault) {
	s.tick++
	if s.b[s.start] == '{' {
		if end, f = s.object(&s.root, s.start, s.row); f == nil {
			return end, nil
		}
	} else {
		f = &fault{msg: "the record is not a JSON object"}
	}
	if !f.syntax {
		var err jsonscan.Err
		if end, err = jsonscan.Skip(s.b, s.start); err != jsonscan.OK {
			f = syntaxFault(s.b, end, err)
		}
	}
	s.rescans += end - s.start
	return end, f
}
