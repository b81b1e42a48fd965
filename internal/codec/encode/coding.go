package encode

import (
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"leat/internal/types"
)

// Coding is a content coding of HTTP; Identity is none.
type Coding string

// The codings, in the order in which equally welcome ones are chosen: by what they cost the server.
const (
	Identity Coding = ""
	Zstd     Coding = "zstd"
	Gzip     Coding = "gzip"
	Brotli   Coding = "br"
)

// Levels are low: an answer is compressed while its reader waits, and two cores serve all of them. The windows bound what a decoder, and one of our
// encoders, holds: RFC 9659 lets zstd on the web have 8 MiB.
const (
	gzipLevel   = 2
	brotliLevel = 2
	window      = 1 << 20
)

// NegotiateCoding picks a coding by an Accept-Encoding header: the most welcome one, Identity where none is or all are refused.
func NegotiateCoding(accept string) Coding {
	if accept == "" {
		return Identity
	}
	ranges := weights(accept)
	weight := func(name string) float64 {
		star := 0.0
		for _, r := range ranges {
			switch r.name {
			case name:
				return r.q
			case "*":
				star = r.q
			}
		}
		return star
	}
	best, bestQ := Identity, 0.0
	for _, c := range []Coding{Zstd, Gzip, Brotli} {
		q := weight(string(c))
		if c == Gzip {
			q = max(q, aliasWeight(ranges, "x-gzip"))
		}
		if q > bestQ {
			best, bestQ = c, q
		}
	}
	if q := aliasWeight(ranges, "identity"); q > bestQ {
		return Identity
	}
	return best
}

// aliasWeight is the weight of a name that * does not stand for; 0 where it is not named.
func aliasWeight(ranges []weighted, name string) float64 {
	for _, r := range ranges {
		if r.name == name {
			return r.q
		}
	}
	return 0
}

// Compressors keeps writers of all codings for use again; the zero value is ready. Its methods may be called from any goroutine.
type Compressors struct{ zstd, gzip, brotli sync.Pool }

// Compressor compresses what is written to it; Flush sends what was written so far, Close ends the stream and not what is below.
type Compressor interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer)
}

// Get returns a compressor onto w. Identity has none.
func (p *Compressors) Get(c Coding, w io.Writer) Compressor {
	pool := p.pool(c)
	out, ok := pool.Get().(Compressor)
	if ok {
		out.Reset(w)
		return out
	}
	switch c {
	case Zstd:
		z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window))
		if err != nil {
			panic("BUG: the options of zstd: " + err.Error())
		}
		return z
	case Gzip:
		z, err := gzip.NewWriterLevel(w, gzipLevel)
		if err != nil {
			panic("BUG: the level of gzip: " + err.Error())
		}
		return z
	}
	return brotli.NewWriterOptions(w, brotli.WriterOptions{Quality: brotliLevel, LGWin: 20})
}

// Put takes a compressor back, closed or not.
func (p *Compressors) Put(c Coding, z Compressor) {
	z.Reset(io.Discard)
	p.pool(c).Put(z)
}

func (p *Compressors) pool(c Coding) *sync.Pool {
	switch c {
	case Zstd:
		return &p.zstd
	case Gzip:
		return &p.gzip
	case Brotli:
		return &p.brotli
	}
	panic("BUG: coding " + string(c) + " has no compressor")
}

// Decompress reads a body by its Content-Encoding; an unknown one is types.UnsupportedMedia. The caller bounds what is read, and closes the reader.
func Decompress(encoding string, r io.Reader) (io.ReadCloser, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return io.NopCloser(r), nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, types.Errorf(types.InvalidArgument, "the body is not gzip: %w", err)
		}
		return z, nil
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, types.Errorf(types.InvalidArgument, "the body is not zstd: %w", err)
		}
		return z.IOReadCloser(), nil
	case "br":
		return io.NopCloser(brotli.NewReader(r)), nil
	}
	return nil, types.Errorf(types.UnsupportedMedia, "the content coding %.40q is not known", encoding).WithHint("send the body plain, or as gzip, zstd or br")
}
