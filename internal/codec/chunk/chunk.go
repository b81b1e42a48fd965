// Package chunk cuts files and pipes of records into bodies at record boundaries: NDJSON, JSON arrays, objects printed over many lines,
// CSV and Parquet, compressed or not.
package chunk

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// DefaultBytes is about how large a body is: large enough that a server's fsync is shared by thousands of records, small enough that
// a repeated one costs little. A single record may be larger, up to maxRecord.
const (
	DefaultBytes = 1 << 20
	maxRecord    = 64 << 20
)

// Options of New. The zero value has the defaults.
type Options struct {
	// Bytes is about how large a body is; 0 is DefaultBytes.
	Bytes int
	// Live hands on what has arrived instead of waiting for a whole body: for pipes. It works for records on lines.
	Live bool
	// Read, if set, counts the bytes that were read of the source; it changes during Next only.
	Read *int64
	// Buffer, if set, gives room for the next body, which may have held an earlier one that is no longer needed; nil is none.
	Buffer func() []byte
}

// Chunker cuts a source into bodies at record boundaries. It belongs to one goroutine.
type Chunker struct {
	// Records is how many records a body may have; 0 is as many as fit.
	Records int

	opts    Options
	records recordReader
	closers []io.Closer
}

// recordReader yields one record's bytes, line end included, valid until the next call.
type recordReader interface {
	record() ([]byte, error)
	// header is sent before each body's records.
	header() []byte
	contentType() string
}

// New looks at the ending of the source's name and its first bytes, and waits for those.
func New(name string, r io.Reader, o Options) (*Chunker, error) {
	if o.Bytes <= 0 {
		o.Bytes = DefaultBytes
	}
	if o.Read == nil {
		o.Read = new(int64)
	}
	c := &Chunker{opts: o}
	if f, ok := r.(*os.File); ok && isParquet(f) {
		c.useParquet(f, o.Read)
		return c, nil
	}
	r = &countingReader{r: r, n: o.Read}
	in := bufio.NewReaderSize(r, 1<<20)
	for {
		head, err := in.Peek(4)
		if err != nil && len(head) == 0 {
			break
		}
		inner, err := c.decompress(in, head)
		if err != nil {
			return nil, err
		}
		if inner == nil {
			break
		}
		in = bufio.NewReaderSize(inner, 1<<20)
	}
	head := o.peek(in, 512)
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	base := strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	switch {
	case bytes.HasPrefix(head, parquetMagic):
		return nil, errors.New("a Parquet file is read from its end, so it can neither be compressed nor piped in")
	case bytes.HasPrefix(trimmed, []byte("[")):
		c.records = newArrayRecords(in)
	case len(trimmed) > 0 && trimmed[0] == '{' && manyLines(o.peek(in, in.Size())):
		c.records = &valueRecords{dec: json.NewDecoder(in)}
	case strings.HasSuffix(base, ".csv") || len(trimmed) > 0 && trimmed[0] != '{':
		records, err := newCSVRecords(in)
		if err != nil {
			return nil, err
		}
		c.records = records
	default:
		c.records = &lineRecords{in: in, buffer: o.Buffer}
	}
	return c, nil
}

// peek returns the first bytes, at most n; live those that have arrived, of which there is one at least.
func (o Options) peek(in *bufio.Reader, n int) []byte {
	if o.Live {
		_, _ = in.Peek(1) // an error shows in what follows
		n = min(n, in.Buffered())
	}
	head, _ := in.Peek(n) // less at the end of the file
	return head
}

// decompress returns nil where the bytes are not compressed.
func (c *Chunker) decompress(in io.Reader, head []byte) (io.Reader, error) {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		c.closers = append(c.closers, z)
		return z, nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		c.closers = append(c.closers, z.IOReadCloser())
		return z, nil
	}
	return nil, nil
}

// Next returns a body of whole records, which is the caller's, and their number; io.EOF after the last.
func (c *Chunker) Next() (body []byte, contentType string, records int, err error) {
	if lines, ok := c.records.(*lineRecords); ok && c.Records == 0 {
		body, err = lines.bulk(c.opts.Bytes, c.opts.Live)
		return body, lines.contentType(), bytes.Count(body, []byte{'\n'}), err
	}
	body = append(body, c.records.header()...)
	for {
		rec, err := c.records.record()
		if errors.Is(err, io.EOF) && records > 0 {
			break
		}
		if err != nil {
			return nil, "", 0, err
		}
		body = append(body, rec...)
		records++
		if len(body) >= c.opts.Bytes || c.Records > 0 && records >= c.Records || c.opts.Live && c.waits() {
			break
		}
	}
	return body, c.records.contentType(), records, nil
}

// waits reports whether the next record has to be waited for.
func (c *Chunker) waits() bool {
	switch r := c.records.(type) {
	case *lineRecords:
		return len(r.rest) == 0 && r.in.Buffered() == 0
	case *csvRecords:
		return r.in.Buffered() == 0
	}
	return false
}

// Close ends the decompressors.
func (c *Chunker) Close() {
	for _, z := range c.closers {
		_ = z.Close() // only reads: nothing can be lost
	}
}

// readLine reads up to and with a line end, at most maxRecord bytes.
func readLine(in *bufio.Reader, line []byte) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && len(line) > maxRecord:
			return nil, fmt.Errorf("a record is larger than %d MiB", maxRecord>>20)
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return append(line, '\n'), nil
		default:
			return line, err
		}
	}
}

// lineRecords reads JSON, one record a line.
type lineRecords struct {
	in     *bufio.Reader
	buf    []byte
	buffer func() []byte
	// rest is the beginning of a line of which the end has not been read.
	rest []byte
}

// room returns an empty buffer for n bytes.
func (l *lineRecords) room(n int) []byte {
	if l.buffer != nil {
		if b := l.buffer(); cap(b) >= n {
			return b[:0]
		}
	}
	return make([]byte, 0, n+n/16)
}

// bulk reads about n bytes of whole lines at once; live, it takes what one read gives.
func (l *lineRecords) bulk(n int, live bool) (body []byte, err error) {
	body = append(l.room(max(n, 2*len(l.rest))), l.rest...)
	l.rest = l.rest[:0]
	at, got := len(body), 0
	to := body[at:max(n, 2*at)]
	if live {
		got, err = l.in.Read(to)
	} else {
		got, err = io.ReadFull(l.in, to)
	}
	body = body[:at+got]
	end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	switch last := bytes.LastIndexByte(body, '\n'); {
	case err != nil && !end:
		return nil, err
	case len(body) == 0:
		return nil, err
	case last == len(body)-1:
		return body, nil
	case end:
		return append(body, '\n'), nil
	case last >= 0:
		l.rest = append(l.rest, body[last+1:]...)
		return body[:last+1], nil
	}
	body, err = readLine(l.in, body)
	if errors.Is(err, io.EOF) {
		return body, nil
	}
	return body, err
}

func (l *lineRecords) header() []byte      { return nil }
func (l *lineRecords) contentType() string { return "application/x-ndjson" }
func (l *lineRecords) record() ([]byte, error) {
	line, err := readLine(l.in, append(l.buf[:0], l.rest...))
	l.rest = l.rest[:0]
	l.buf = line
	return line, err
}

// csvRecords reads CSV with a header; a quoted field may hold line ends.
type csvRecords struct {
	in    *bufio.Reader
	first []byte
	buf   []byte
}

func newCSVRecords(in *bufio.Reader) (*csvRecords, error) {
	c := &csvRecords{in: in}
	first, err := c.record()
	if errors.Is(err, io.EOF) {
		return c, nil
	}
	c.first, c.buf = first, nil
	return c, err
}

func (c *csvRecords) header() []byte      { return c.first }
func (c *csvRecords) contentType() string { return "text/csv" }
func (c *csvRecords) record() ([]byte, error) {
	c.buf = c.buf[:0]
	for quotes := 0; ; {
		start := len(c.buf)
		line, err := readLine(c.in, c.buf)
		if err != nil && (!errors.Is(err, io.EOF) || start == 0) {
			return nil, err
		}
		c.buf = line
		quotes += bytes.Count(line[start:], []byte{'"'})
		if quotes%2 == 0 || errors.Is(err, io.EOF) {
			return c.buf, nil
		}
		if len(c.buf) > maxRecord {
			return nil, fmt.Errorf("a quoted field is not closed within %d MiB", maxRecord>>20)
		}
	}
}

// countingReader counts what was read, for the progress bar.
type countingReader struct {
	r io.Reader
	n *int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}

// manyLines reports whether the first object goes on behind its line, as printed JSON does. A first line that is
// merely cut makes no object with what follows.
func manyLines(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return errors.Is(firstValue(line), io.ErrUnexpectedEOF) && len(line) < len(head) && isStart(firstValue(head))
}

func firstValue(b []byte) error {
	return json.NewDecoder(bytes.NewReader(b)).Decode(new(json.RawMessage))
}

func isStart(err error) bool { return err == nil || errors.Is(err, io.ErrUnexpectedEOF) }

// valueRecords reads objects that may stretch over many lines and yields each as one line.
type valueRecords struct {
	dec *json.Decoder
	buf bytes.Buffer
}

func (v *valueRecords) header() []byte      { return nil }
func (v *valueRecords) contentType() string { return "application/x-ndjson" }
func (v *valueRecords) record() ([]byte, error) {
	var raw json.RawMessage
	if err := v.dec.Decode(&raw); err != nil {
		return nil, err
	}
	v.buf.Reset()
	if err := json.Compact(&v.buf, raw); err != nil {
		return nil, err
	}
	v.buf.WriteByte('\n')
	return v.buf.Bytes(), nil
}

// arrayRecords reads a JSON array and yields its elements as lines.
type arrayRecords struct {
	dec     *json.Decoder
	started bool
	buf     []byte
}

func newArrayRecords(in io.Reader) *arrayRecords { return &arrayRecords{dec: json.NewDecoder(in)} }

func (a *arrayRecords) header() []byte      { return nil }
func (a *arrayRecords) contentType() string { return "application/x-ndjson" }
func (a *arrayRecords) record() ([]byte, error) {
	if !a.started {
		a.started = true
		if _, err := a.dec.Token(); err != nil {
			return nil, err
		}
	}
	if !a.dec.More() {
		_, err := a.dec.Token() // the closing bracket, or where the text is cut
		if err == nil {
			err = io.EOF
		}
		return nil, err
	}
	var raw json.RawMessage
	if err := a.dec.Decode(&raw); err != nil {
		return nil, err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return nil, err
	}
	a.buf = append(line.Bytes(), '\n')
	return a.buf, nil
}
