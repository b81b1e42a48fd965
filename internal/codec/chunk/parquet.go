package chunk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"

	"leat/internal/codec"
)

var parquetMagic = []byte("PAR1")

func isParquet(f *os.File) bool {
	head := make([]byte, len(parquetMagic))
	n, err := f.ReadAt(head, 0)
	return err == nil && n == len(head) && string(head) == string(parquetMagic)
}

// useParquet makes the records the file's rows as NDJSON.
func (c *Chunker) useParquet(f *os.File, read *int64) {
	next, stop := iter.Pull2(parquetLines(&countingFile{f, read}))
	c.records = parquetRecords{next}
	c.closers = append(c.closers, closer(stop))
}

// countingFile counts what is read of a file, for the progress bar.
type countingFile struct {
	*os.File
	n *int64
}

// ReadAt counts what it reads. It runs in the goroutine that asks for records.
func (c *countingFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.File.ReadAt(p, at)
	*c.n += int64(n)
	return n, err
}

var errStopped = errors.New("stopped")

// parquetLines yields each row as a line of JSON, valid until the next.
func parquetLines(f *countingFile) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		err := codec.ParquetLines(context.Background(), f, func(lines []byte) error {
			for line := range bytes.Lines(lines) {
				if !yield(line, nil) {
					return errStopped
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

type parquetRecords struct{ next func() ([]byte, error, bool) }

func (parquetRecords) header() []byte      { return nil }
func (parquetRecords) contentType() string { return "application/x-ndjson" }
func (p parquetRecords) record() ([]byte, error) {
	line, err, ok := p.next()
	if !ok {
		return nil, io.EOF
	}
	return line, err
}

// closer is a function that ends something.
type closer func()

// Close calls it.
func (c closer) Close() error { c(); return nil }
