package cli

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
func (c *chunker) useParquet(f *os.File) {
	next, stop := iter.Pull2(parquetLines(f))
	c.records = parquetRecords{next}
	c.closers = append(c.closers, closer(stop))
}

var errStopped = errors.New("stopped")

// parquetLines yields each row as a line of JSON, valid until the next.
func parquetLines(f *os.File) iter.Seq2[[]byte, error] {
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
