package pebblelog

import (
	"encoding/binary"
	"math"

	"leat/internal/types"
)

// Key spaces. Every key starts with one of these bytes; docs/formats/log.md has the whole table.
const (
	spaceMeta   byte = 0x01 // -> format version, incarnation
	spaceConfig byte = 0x02 // stream -> bus.StreamConfig
	spaceSchema byte = 0x03 // stream, fingerprint -> schema
	spaceState  byte = 0x04 // stream, partition -> what a trim must not forget
	spaceEntry  byte = 0x05 // stream, partition, last offset -> entry
	spaceDedup  byte = 0x06 // key hash -> dedup record
	spaceExpiry byte = 0x07 // sequence -> key hash, expiry
	spaceEpoch  byte = 0x08 // producer -> epoch record
)

var metaKey = []byte{spaceMeta}

const entryKeyLen = 1 + 8 + 4 + 8

func appendStreamKey(dst []byte, space byte, s types.ObjectID) []byte {
	return binary.BigEndian.AppendUint64(append(dst, space), uint64(s))
}

func streamKey(space byte, s types.ObjectID) []byte { return appendStreamKey(nil, space, s) }

// streamRange returns the bounds of all keys of a stream in a space.
func streamRange(space byte, s types.ObjectID) (from, to []byte) {
	if s == math.MaxUint64 {
		return streamKey(space, s), []byte{space + 1}
	}
	return streamKey(space, s), streamKey(space, s+1)
}

func schemaKey(s types.ObjectID, fingerprint uint64) []byte {
	return binary.BigEndian.AppendUint64(streamKey(spaceSchema, s), fingerprint)
}

func partitionKey(space byte, p types.PartitionID) []byte {
	return binary.BigEndian.AppendUint32(streamKey(space, p.Stream), p.Index)
}

// appendEntryKey is the key of the entry whose last offset is last: the first key at or after the key
// of an offset is thus the entry that holds the offset.
func appendEntryKey(dst []byte, p types.PartitionID, last types.Offset) []byte {
	dst = binary.BigEndian.AppendUint32(appendStreamKey(dst, spaceEntry, p.Stream), p.Index)
	return binary.BigEndian.AppendUint64(dst, uint64(last))
}

func entryKey(p types.PartitionID, last types.Offset) []byte {
	return appendEntryKey(make([]byte, 0, entryKeyLen), p, last)
}

// entryRange returns the bounds of all entries of a partition.
func entryRange(p types.PartitionID) (from, to []byte) {
	return entryKey(p, 0), append(entryKey(p, math.MaxUint64), 0)
}

// entryLast reads the last offset back from an entry's key.
func entryLast(key []byte) types.Offset {
	return types.Offset(binary.BigEndian.Uint64(key[len(key)-8:]))
}
