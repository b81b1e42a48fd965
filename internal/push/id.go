package push

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"leat/internal/types"
)

// id names a moment of a feed as one subscriber sees it (docs/formats/push-id.md).
type id struct {
	// nonce is the feed's, random; seq counts its changes.
	nonce uint64
	seq   uint64
	// filter sums up which rows the subscriber sees.
	filter   uint32
	position types.Position
}

const idVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// String is the token that clients carry.
func (x id) String() string {
	b := make([]byte, 1, 64)
	b[0] = idVersion
	b = binary.BigEndian.AppendUint64(b, x.nonce)
	b = binary.AppendUvarint(b, x.seq)
	b = binary.BigEndian.AppendUint32(b, x.filter)
	b = binary.BigEndian.AppendUint64(b, x.position.Incarnation)
	for _, c := range x.position.Cursors {
		b = binary.AppendUvarint(b, uint64(c.Partition.Stream))
		b = binary.AppendUvarint(b, uint64(c.Partition.Index))
		b = binary.AppendUvarint(b, uint64(c.Next))
	}
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseID reads a token; the position is not needed again. A damaged or foreign one is types.InvalidArgument.
func parseID(token string) (id, error) {
	bad := types.Errorf(types.InvalidArgument, "%.60q is not the id of an event", token).
		WithHint("send the id of the last event exactly as it came, or none to begin with a snapshot")
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < 26 || b[0] != idVersion {
		return id{}, bad
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return id{}, bad
	}
	x := id{nonce: binary.BigEndian.Uint64(body[1:])}
	rest := body[9:]
	n := 0
	if x.seq, n = binary.Uvarint(rest); n <= 0 || len(rest) < n+12 {
		return id{}, bad
	}
	x.filter = binary.BigEndian.Uint32(rest[n:])
	return x, nil
}

// CheckID tells of a token that no Leat has made (types.InvalidArgument). That of another server or of another time is right.
func CheckID(token string) error {
	_, err := parseID(token)
	return err
}
