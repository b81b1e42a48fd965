package catalog

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"

	"leat/internal/types"
)

// formatVersion is the first byte of every record (docs/formats/catalog.md).
const formatVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode prints v as a record: version byte, JSON, CRC-32C of both.
func encode(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding a catalog record: %w", err)
	}
	b := append([]byte{formatVersion}, body...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// decode reads a record into v.
func decode(b []byte, v any) error {
	if len(b) < 5 {
		return fmt.Errorf("it has %d bytes", len(b))
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return fmt.Errorf("its checksum is wrong")
	}
	if body[0] != formatVersion {
		return fmt.Errorf("its format is version %d, this program reads %d", body[0], formatVersion)
	}
	return json.Unmarshal(body[1:], v)
}

// decodeObject reads an object and checks that it is whole.
func decodeObject(b []byte) (*Object, error) {
	o := new(Object)
	if err := decode(b, o); err != nil {
		return nil, err
	}
	return o, check(o)
}

// check reports what no definition may lack.
func check(o *Object) error {
	var ok bool
	switch o.Kind {
	case StreamKind, TableKind:
		ok = o.Stream != nil && o.Stream.whole() && o.View == nil && o.Endpoint == nil
	case ViewKind:
		ok = o.View != nil && o.Stream == nil && o.Endpoint == nil
	case EndpointKind:
		ok = o.Endpoint != nil && o.Stream == nil && o.View == nil &&
			!slices.ContainsFunc(o.Endpoint.Params, func(p Param) bool { return p.Name == "" || p.Type.Kind == types.Invalid })
	}
	if !ok || o.ID == 0 || o.Name == "" || !o.indexed() {
		return types.Errorf(types.Internal, "the definition of %s %q is incomplete", o.Kind, o.Name)
	}
	return nil
}

// indexed reports whether the columns of all indexes are the object's.
func (o *Object) indexed() bool {
	s := o.Schema()
	return !slices.ContainsFunc(o.Indexes, func(x Index) bool {
		return x.ID == 0 || x.Name == "" || len(x.Columns) == 0 || s == nil || slices.ContainsFunc(x.Columns, func(id int32) bool { return s.IndexID(id) < 0 })
	})
}

// whole reports whether every column has a type and every ID of a column is one of the schema's.
func (s *Stream) whole() bool {
	if s.Schema == nil || s.Partitions == 0 || slices.ContainsFunc(s.Schema.Columns, func(c types.Column) bool { return c.Type.Kind == types.Invalid }) {
		return false
	}
	for _, id := range slices.Concat(s.PrimaryKey, s.PartitionBy, []int32{s.VersionColumn, s.Time.Column}) {
		if id != 0 && s.Schema.IndexID(id) < 0 {
			return false
		}
	}
	return !slices.Contains(s.PrimaryKey, 0) && !slices.Contains(s.PartitionBy, 0)
}

// Keys: "m" counter, "o"+id object, "h"+id+version its history, "t"+token id, "i"+issuer name.
var counterKey = []byte("m")

func objectKey(id types.ObjectID) []byte {
	return binary.BigEndian.AppendUint64([]byte("o"), uint64(id))
}

func historyKey(id types.ObjectID, version int) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64([]byte("h"), uint64(id)), uint32(version))
}

func tokenKey(id string) []byte { return append([]byte("t"), id...) }

func issuerKey(name string) []byte { return append([]byte("i"), name...) }
