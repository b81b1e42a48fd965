package pebblelog

import (
	"hash/crc32"

	"github.com/klauspost/compress/s2"

	"leat/internal/bus"
	"leat/internal/types"
)

// How a payload is compressed.
const (
	codecNone byte = 0
	codecS2   byte = 1
)

// minCompress is the block size below which compression is not tried.
const minCompress = 128

// encoded is the payload of an entry, ready to be stored.
type encoded struct {
	// batch is what readers of the tail get: its columns point into the block, not into the caller's memory.
	batch   *types.Batch
	info    *schemaInfo
	codec   byte
	rawLen  int
	payload []byte
	crc     uint32
	times   times
}

// encode makes the payload of the batches' rows, one after the other.
func encode(info *schemaInfo, batches []*types.Batch) (*encoded, error) {
	size, rows := 0, 0
	for _, b := range batches {
		size += blockSize(b)
		rows += b.Rows
	}
	raw, err := encodeBlock(make([]byte, 0, size), info, batches)
	if err != nil {
		return nil, err
	}
	batch, err := decodeBlock(raw, info, rows, hasWeights(batches))
	if err != nil {
		return nil, types.Errorf(types.InvalidArgument, "batch is not valid: %w", err)
	}
	e := &encoded{batch: batch, info: info, rawLen: len(raw), payload: raw}
	if len(raw) >= minCompress {
		if packed := s2.Encode(nil, raw); len(packed) < len(raw)-len(raw)/16 {
			e.codec, e.payload = codecS2, packed
		}
	}
	e.crc = crc32.Checksum(e.payload, castagnoli)
	return e, nil
}

// decodeEntry reads a stored entry; schemaOf finds the schema of a fingerprint, or nil. The entry keeps nothing of value.
func decodeEntry(value []byte, schemaOf func(uint64) *schemaInfo) (*bus.Entry, header, error) {
	h, payload, err := parseHeader(value)
	if err != nil {
		return nil, h, err
	}
	e := &bus.Entry{First: h.first, Next: h.next(), Runs: h.runs}
	if h.kind == kindMark {
		return e, h, nil
	}
	if crc32.Checksum(payload, castagnoli) != h.payloadCRC {
		return nil, h, types.Errorf(types.Corrupt, "checksum of the entry's rows does not match")
	}
	info := schemaOf(h.fingerprint)
	if info == nil {
		return nil, h, types.Errorf(types.Corrupt, "schema %016x of the entry is missing", h.fingerprint)
	}
	raw, err := unpack(h.codec, payload, h.rawLen)
	if err != nil {
		return nil, h, err
	}
	e.Batch, err = decodeBlock(raw, info, h.rows, h.weights)
	return e, h, err
}

// unpack returns the block in memory of its own.
func unpack(codec byte, payload []byte, rawLen int) ([]byte, error) {
	switch codec {
	case codecNone:
		if len(payload) != rawLen {
			return nil, types.Errorf(types.Corrupt, "block of %d bytes, not %d", len(payload), rawLen)
		}
		return append(make([]byte, 0, rawLen), payload...), nil
	case codecS2:
		if n, err := s2.DecodedLen(payload); err != nil || n != rawLen {
			return nil, types.Errorf(types.Corrupt, "packed block of %d bytes, not %d: %v", n, rawLen, err)
		}
		raw, err := s2.Decode(make([]byte, rawLen), payload)
		if err != nil {
			return nil, types.Errorf(types.Corrupt, "unpacking the block: %w", err)
		}
		return raw, nil
	}
	return nil, types.Errorf(types.Corrupt, "compression %d is not known", codec)
}
