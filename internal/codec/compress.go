package codec

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"leat/internal/types"
)

// Bounds of Decompress.
const (
	DefaultMaxBody    = 64 << 20  // as sent
	DefaultMaxDecoded = 256 << 20 // after decompression
	maxWindow         = 8 << 20   // of zstd; RFC 9659 asks for at least this
)

// Limits bounds a body. The zero value takes the defaults.
type Limits struct {
	// Body and Decoded are bytes as sent and after decompression.
	Body, Decoded int64
	// Hint is the size as sent where it is known (Content-Length), to allocate once.
	Hint int64
}

func (l Limits) withDefaults() Limits {
	if l.Body <= 0 {
		l.Body = DefaultMaxBody
	}
	if l.Decoded <= 0 {
		l.Decoded = max(DefaultMaxDecoded, l.Body)
	}
	return l
}

// Decompress reads a whole body with the given Content-Encoding: gzip, zstd, or identity or none, and then a
// compressed stream is known by its first bytes. The slice is the caller's. Too much is types.PayloadTooLarge, a damaged
// or truncated stream types.InvalidArgument, another encoding types.UnsupportedMedia.
func Decompress(encoding string, body io.Reader, limits Limits) ([]byte, error) {
	limits = limits.withDefaults()
	encoding = strings.ToLower(strings.TrimSpace(encoding))
	switch encoding {
	case "", "identity", "gzip", "x-gzip", "zstd":
	default:
		return nil, types.Errorf(types.UnsupportedMedia, "Content-Encoding %.40q is not supported", encoding).
			WithHint("send the body as it is, or compressed with gzip or zstd")
	}
	raw, err := readAll(body, limits.Body, limits.Hint)
	if err != nil {
		return nil, readError(err, limits.Body)
	}
	switch {
	case encoding == "gzip" || encoding == "x-gzip" || encoding != "zstd" && bytes.HasPrefix(raw, []byte{0x1F, 0x8B}):
		return gunzip(raw, limits.Decoded)
	case encoding == "zstd" || bytes.HasPrefix(raw, []byte{0x28, 0xB5, 0x2F, 0xFD}):
		return unzstd(raw, limits.Decoded)
	}
	return raw, nil
}

var errTooLarge = errors.New("too large")

// readAll reads up to limit bytes, or fails with errTooLarge. A good hint makes it allocate once.
func readAll(r io.Reader, limit, hint int64) ([]byte, error) {
	out := make([]byte, 0, min(max(hint, 512)+1, limit+1, 4<<20))
	for {
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case int64(len(out)) > limit:
			return nil, errTooLarge
		case err == io.EOF:
			return out, nil
		case err != nil:
			return nil, err
		}
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
	}
}

func readError(err error, limit int64) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errTooLarge):
	case errors.As(err, &tooLarge):
		limit = tooLarge.Limit
	default:
		return types.Errorf(types.InvalidArgument, "the body could not be read to its end: %w", err)
	}
	return types.Errorf(types.PayloadTooLarge, "the body has more than %d bytes", limit).WithHint("send it in several requests")
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

func gunzip(raw []byte, limit int64) ([]byte, error) {
	z := gzipReaders.Get().(*gzip.Reader)
	defer gzipReaders.Put(z)
	if err := z.Reset(bytes.NewReader(raw)); err != nil {
		return nil, inflateError("gzip", err, limit)
	}
	out, err := readAll(z, limit, int64(len(raw))*4)
	if err != nil {
		return nil, inflateError("gzip", err, limit)
	}
	return out, nil
}

var zstdReaders = sync.Pool{New: func() any {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic("BUG: zstd options: " + err.Error())
	}
	return z
}}

func unzstd(raw []byte, limit int64) ([]byte, error) {
	z := zstdReaders.Get().(*zstd.Decoder)
	defer func() {
		_ = z.Reset(nil) // lets go of raw; a nil reader cannot fail
		zstdReaders.Put(z)
	}()
	if err := z.Reset(bytes.NewReader(raw)); err != nil {
		return nil, inflateError("zstd", err, limit)
	}
	out, err := readAll(z, limit, int64(len(raw))*4)
	if err != nil {
		return nil, inflateError("zstd", err, limit)
	}
	return out, nil
}

func inflateError(encoding string, err error, limit int64) error {
	switch {
	case errors.Is(err, errTooLarge):
		return types.Errorf(types.PayloadTooLarge, "the body has more than %d bytes once decompressed", limit).WithHint("send it in several requests")
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return types.Errorf(types.PayloadTooLarge, "the zstd window is larger than 8 MiB").WithHint("compress without --long")
	}
	return types.Errorf(types.InvalidArgument, "the %s body is truncated or damaged: %w", encoding, err)
}
