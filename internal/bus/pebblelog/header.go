package pebblelog

import (
	"encoding/binary"
	"hash/crc32"

	"leat/internal/bus"
	"leat/internal/types"
)

// The stored value of an entry (docs/formats/log.md): a fixed prefix, the header's fields, the payload.
const (
	entryVersion   = 1
	entryPrefixLen = 12 // version, kind, codec, flags, header length, header crc
	maxHeaderLen   = 1 << 24
)

const (
	kindRows byte = 0
	kindMark byte = 1
)

const (
	flagWeights byte = 1 << 0
	flagAge     byte = 1 << 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what an entry says of itself besides its rows.
type header struct {
	kind, codec byte
	weights     bool
	first       types.Offset
	rows        int
	runs        []bus.Run
	// watermark is the partition's after the entry.
	watermark int64
	// age is the largest At - event time of the entry's last ageWindow rows, in microseconds, where hasAge.
	age    int64
	hasAge bool
	// totalRows and totalBytes count everything ever appended to the partition, this entry's rows included
	// and its bytes not.
	totalRows, totalBytes uint64
	fingerprint           uint64
	rawLen                int
	payloadLen            int
	payloadCRC            uint32
}

// next is the offset after the entry.
func (h *header) next() types.Offset {
	if h.kind == kindMark {
		return h.first + 1
	}
	return h.first + types.Offset(h.rows)
}

// at is the At of the entry's last run.
func (h *header) at() int64 { return h.runs[len(h.runs)-1].At }

func (h *header) append(dst []byte) []byte {
	start := len(dst)
	var flags byte
	if h.weights {
		flags |= flagWeights
	}
	if h.hasAge {
		flags |= flagAge
	}
	dst = append(dst, entryVersion, h.kind, h.codec, flags, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = binary.AppendUvarint(dst, uint64(h.first))
	dst = binary.AppendUvarint(dst, uint64(h.rows))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.watermark))
	if h.hasAge {
		dst = binary.AppendVarint(dst, h.age)
	}
	dst = binary.AppendUvarint(dst, h.totalRows)
	dst = binary.AppendUvarint(dst, h.totalBytes)
	dst = binary.AppendUvarint(dst, uint64(len(h.runs)))
	var prev bus.Run
	for _, r := range h.runs {
		dst = binary.AppendUvarint(dst, uint64(r.Rows))
		dst = binary.AppendVarint(dst, r.At-prev.At)
		dst = binary.AppendVarint(dst, r.Watermark-prev.Watermark) // wraps round, and back when read
		prev = r
	}
	if h.kind == kindRows {
		dst = binary.LittleEndian.AppendUint64(dst, h.fingerprint)
		dst = binary.AppendUvarint(dst, uint64(h.rawLen))
		dst = binary.AppendUvarint(dst, uint64(h.payloadLen))
		dst = binary.LittleEndian.AppendUint32(dst, h.payloadCRC)
	}
	b := dst[start:]
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	binary.LittleEndian.PutUint32(b[8:], headerCRC(b))
	return dst
}

func headerCRC(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:8], castagnoli), castagnoli, b[entryPrefixLen:])
}

// parseHeader reads a header and returns the payload after it, whose checksum it does not look at.
func parseHeader(v []byte) (h header, payload []byte, err error) {
	if len(v) < entryPrefixLen {
		return h, nil, types.Errorf(types.Corrupt, "an entry of %d bytes has no header", len(v))
	}
	if v[0] != entryVersion {
		return h, nil, types.Errorf(types.Corrupt, "entry format %d is not known (this is %d)", v[0], entryVersion)
	}
	n := binary.LittleEndian.Uint32(v[4:])
	if n < entryPrefixLen || n > maxHeaderLen || int(n) > len(v) {
		return h, nil, types.Errorf(types.Corrupt, "header of %d bytes in an entry of %d", n, len(v))
	}
	if sum := headerCRC(v[:n]); sum != binary.LittleEndian.Uint32(v[8:]) {
		return h, nil, types.Errorf(types.Corrupt, "checksum of the entry's header does not match")
	}
	h.kind, h.codec = v[1], v[2]
	h.weights, h.hasAge = v[3]&flagWeights != 0, v[3]&flagAge != 0
	r := reader{b: v[entryPrefixLen:n]}
	h.read(&r)
	switch {
	case r.bad || len(r.b) != 0:
		return h, nil, types.Errorf(types.Corrupt, "the entry's header is malformed")
	case h.kind > kindMark || (h.kind == kindMark) != (h.rows == 0):
		return h, nil, types.Errorf(types.Corrupt, "an entry of kind %d has %d rows", h.kind, h.rows)
	case h.payloadLen != len(v)-int(n):
		return h, nil, types.Errorf(types.Corrupt, "a payload of %d bytes where the header says %d", len(v)-int(n), h.payloadLen)
	}
	return h, v[n:], nil
}

func (h *header) read(r *reader) {
	h.first = types.Offset(r.uvarint())
	h.rows = r.count(maxRows)
	h.watermark = int64(r.u64())
	if h.hasAge {
		h.age = r.varint()
	}
	h.totalRows, h.totalBytes = r.uvarint(), r.uvarint()
	n := r.count(len(r.b)/3 + 1)
	if n == 0 {
		r.bad = true
	}
	if r.bad {
		return
	}
	h.runs = make([]bus.Run, n)
	var prev bus.Run
	rows := 0
	for i := range h.runs {
		run := bus.Run{Rows: r.count(maxRows), At: prev.At + r.varint(), Watermark: prev.Watermark + r.varint()}
		h.runs[i], prev = run, run
		rows += run.Rows
	}
	r.bad = r.bad || rows != h.rows
	if h.kind == kindRows {
		h.fingerprint = r.u64()
		h.rawLen, h.payloadLen = r.count(maxRawLen), r.count(maxRawLen)
		h.payloadCRC = r.u32()
	}
}

// reader takes numbers off a byte slice; the first that is not there sets bad and all after are 0.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) count(limit int) int {
	v := r.uvarint()
	if v > uint64(limit) {
		r.b, r.bad = nil, true
		return 0
	}
	return int(v)
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}
