package ingest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"leat/internal/codec"
	"leat/internal/types"
)

const (
	firstRead = 64 << 10 // what a body of unknown length gets to begin with
	usual     = 16       // how many times larger a decompressed body usually is, at most
)

// readBody reads and decompresses a body. What it returns is accounted for in held.
func (s *Service) readBody(ctx context.Context, req *Request, held *share) ([]byte, error) {
	raw, err := s.readRaw(ctx, req, held)
	if err != nil {
		return nil, err
	}
	switch encoding := strings.ToLower(strings.TrimSpace(req.ContentEncoding)); {
	case len(raw) == 0:
		return nil, types.Errorf(types.InvalidArgument, "the body is empty").
			WithHint("send records, such as NDJSON; with curl: --data-binary @file")
	case (encoding == "" || encoding == "identity") && !compressed(raw):
		return raw, nil
	}
	body, err := s.inflate(ctx, req.ContentEncoding, raw, held)
	if err != nil {
		return nil, err
	}
	held.shrink(held.held - int64(cap(body)))
	return body, nil
}

// compressed knows gzip and zstd by their first bytes, which begin no record.
func compressed(raw []byte) bool {
	return bytes.HasPrefix(raw, []byte{0x1F, 0x8B}) || bytes.HasPrefix(raw, []byte{0x28, 0xB5, 0x2F, 0xFD})
}

// inflate decompresses within what it asked the budget for: first the usual, then the most.
func (s *Service) inflate(ctx context.Context, encoding string, raw []byte, held *share) ([]byte, error) {
	most := s.Config.MaxDecoded
	room := min(usual*int64(len(raw))+firstRead, most)
	for {
		if err := held.grow(ctx, room); err != nil {
			return nil, err
		}
		body, err := codec.Decompress(encoding, bytes.NewReader(raw), codec.Limits{Body: s.Config.MaxBody, Decoded: room, Hint: int64(len(raw))})
		if room == most || !types.HasCode(err, types.PayloadTooLarge) {
			return body, err
		}
		held.shrink(room)
		room = most
	}
}

// readRaw reads the body as sent, asking the budget for memory before it is used.
func (s *Service) readRaw(ctx context.Context, req *Request, held *share) ([]byte, error) {
	limit := s.Config.MaxBody
	if req.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	size := int64(firstRead)
	if req.ContentLength > 0 {
		size = req.ContentLength + 1 // one more to see the end without growing
	}
	if err := held.grow(ctx, size); err != nil {
		return nil, err
	}
	out := make([]byte, 0, size)
	for {
		n, err := req.Body.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case int64(len(out)) > limit:
			return nil, tooLarge(limit)
		case err == io.EOF:
			return out, nil
		case err != nil:
			return nil, readError(ctx, err, len(out))
		}
		if len(out) == cap(out) {
			more := min(int64(cap(out)), limit+1-int64(cap(out)))
			if err := held.grow(ctx, more); err != nil {
				return nil, err
			}
			bigger := make([]byte, len(out), int64(len(out))+more)
			copy(bigger, out)
			out = bigger
		}
	}
}

func tooLarge(limit int64) error {
	return types.Errorf(types.PayloadTooLarge, "the body has more than %d bytes; nothing was written", limit).
		WithHint("send it in several requests, as leat send does")
}

// readError is a body that did not arrive whole: nothing of it was used.
func readError(ctx context.Context, err error, got int) error {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(large.Limit)
	}
	if ctx.Err() != nil {
		return types.Errorf(types.Canceled, "the request ended after %d bytes of its body; nothing was written: %w", got, err)
	}
	return types.Errorf(types.InvalidArgument, "the body broke off after %d bytes; nothing was written: %w", got, err).
		WithHint("send it again")
}
