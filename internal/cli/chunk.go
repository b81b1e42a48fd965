package cli

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

// chunkBytes is about how large a body `leat send` posts: large enough that the server's fsync is shared by thousands of
// records, small enough that a repeated one costs little. A single record may be larger, up to maxRecord.
const (
	chunkBytes = 1 << 20
	maxRecord  = 64 << 20
)

// chunker cuts a file into bodies at record boundaries.
type chunker struct {
	records recordReader
	closers []io.Closer
	limit   int // records per chunk, 0 for as many as fit
}

// recordReader yields one record's bytes, line end included, valid until the next call.
type recordReader interface {
	record() ([]byte, error)
	// header is sent before each body's records.
	header() []byte
	contentType() string
}

// newChunker looks at the name's ending and the first bytes. What is read of r is counted in read, unless that is nil.
func newChunker(name string, r io.Reader, read *int64, limit int) (*chunker, error) {
	c := &chunker{limit: limit}
	if f, ok := r.(*os.File); ok && isParquet(f) {
		c.useParquet(f, read)
		return c, nil
	}
	if read != nil {
		r = &countingReader{r: r, n: read}
	}
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
	head, _ := in.Peek(512)
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	base := strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	switch {
	case bytes.HasPrefix(head, parquetMagic):
		return nil, errors.New("a Parquet file is read from its end, so it can neither be compressed nor piped in")
	case bytes.HasPrefix(trimmed, []byte("[")):
		c.records = newArrayRecords(in)
	case len(trimmed) > 0 && trimmed[0] == '{' && manyLines(in):
		c.records = &valueRecords{dec: json.NewDecoder(in)}
	case strings.HasSuffix(base, ".csv") || len(trimmed) > 0 && trimmed[0] != '{':
		records, err := newCSVRecords(in)
		if err != nil {
			return nil, err
		}
		c.records = records
	default:
		c.records = &lineRecords{in: in}
	}
	return c, nil
}

// decompress returns nil where the bytes are not compressed.
func (c *chunker) decompress(in io.Reader, head []byte) (io.Reader, error) {
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

// next returns a body of whole records; io.EOF after the last.
func (c *chunker) next() (body []byte, contentType string, records int, err error) {
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
		if len(body) >= chunkBytes || c.limit > 0 && records >= c.limit {
			break
		}
	}
	return body, c.records.contentType(), records, nil
}

// Close ends the decompressors.
func (c *chunker) Close() {
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
	in  *bufio.Reader
	buf []byte
}

func (l *lineRecords) header() []byte      { return nil }
func (l *lineRecords) contentType() string { return "application/x-ndjson" }
func (l *lineRecords) record() ([]byte, error) {
	line, err := readLine(l.in, l.buf[:0])
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
func manyLines(in *bufio.Reader) bool {
	head, _ := in.Peek(in.Size()) // less at the end of the file
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
