package pebblestate

import (
	"encoding/binary"
	"fmt"

	"leat/internal/state"
	"leat/internal/types"
)

// Keys on disk: see docs/formats/state.md.
const (
	recordSpace = 0
	rowSpace    = 1
	format      = 1
)

func storePrefix(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

func recordKey(id uint64) []byte { return append(storePrefix(id), recordSpace) }

func tablePrefix(store uint64, id state.TableID) []byte {
	return binary.BigEndian.AppendUint32(append(storePrefix(store), rowSpace), uint32(id))
}

// record is what a commit stores beside rows.
type record struct {
	tables map[state.TableID]state.TableStats
	meta   []byte
}

func (r *record) append(dst []byte) []byte {
	dst = append(dst, format)
	dst = binary.AppendUvarint(dst, uint64(len(r.tables)))
	for id, st := range r.tables {
		dst = binary.AppendUvarint(dst, uint64(id))
		dst = binary.AppendUvarint(dst, uint64(st.Rows))
		dst = binary.AppendUvarint(dst, uint64(st.Bytes))
	}
	return append(dst, r.meta...)
}

func readRecord(b []byte) (record, error) {
	r := record{tables: map[state.TableID]state.TableStats{}}
	if len(b) == 0 || b[0] != format {
		return r, types.Errorf(types.Corrupt, "the record of a store of state has an unknown form")
	}
	b = b[1:]
	bad := false
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			bad = true
			return 0
		}
		b = b[n:]
		return v
	}
	for n := next(); n > 0 && !bad; n-- {
		id := next()
		r.tables[state.TableID(id)] = state.TableStats{Rows: int64(next()), Bytes: int64(next())}
	}
	if bad {
		return r, types.Errorf(types.Corrupt, "the record of a store of state is cut short")
	}
	r.meta = append([]byte{}, b...)
	return r, nil
}

// successor is the least key above all that begin with p.
func successor(p []byte) []byte {
	_, upper := state.Prefix(p, nil)
	if upper == nil {
		panic(fmt.Sprintf("BUG: no key follows the prefix %x", p))
	}
	return upper
}
