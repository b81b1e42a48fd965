package op

import (
	"bytes"
	"encoding/binary"

	"leat/internal/engine/zset"
)

// logPlace is where to go on in a log: the key of a leaf and, behind it, how many of the rows under it to pass over.
func logPlace(from []byte) (key []byte, skip int) {
	if len(from) <= 8 {
		return from, 0
	}
	n, _ := binary.Uvarint(from[8:])
	return from[:8], int(n)
}

func appendLogPlace(key []byte, skip int) []byte {
	return binary.AppendUvarint(bytes.Clone(key), uint64(skip))
}

// scanLog is scan where rows lie in the order in which they came.
func (s *ViewSnapshot) scanLog(from []byte, limit int) (*zset.Batch, []byte) {
	from, skip := logPlace(from)
	b := zset.NewBuilder(s.form.types)
	it := s.table.Scan(from, nil)
	for it.Next() {
		rest := it.Value()
		for n := 0; len(rest) > 0; n++ {
			if b.Len() == limit && n >= skip {
				next := appendLogPlace(it.Key(), n)
				it.Close()
				return b.Finish(), next
			}
			w, size := binary.Uvarint(rest)
			rest = s.form.packs.Decode(rest[size:], b, 0)
			if n < skip {
				w = 0 // forgotten
			}
			b.EndRow(int64(w))
		}
		skip = 0
	}
	return b.Finish(), nil
}

// scanLogDown is scanLog in the opposite order: rows to pass over are counted from the last one under a key.
func (s *ViewSnapshot) scanLogDown(from []byte, limit int) (*zset.Batch, []byte) {
	from, skip := logPlace(from)
	var upper []byte
	if from != nil {
		upper = append(bytes.Clone(from), 0)
	}
	b, leaf := zset.NewBuilder(s.form.types), zset.NewBuilder(s.form.types)
	it := s.table.ScanDown(nil, upper)
	for it.Next() {
		s.form.decodeLog(leaf, it.Value())
		rows := leaf.Finish()
		for n := skip; n < rows.Rows(); n++ {
			if b.Len() == limit {
				next := appendLogPlace(it.Key(), n)
				it.Close()
				return b.Finish(), next
			}
			i := rows.N - 1 - n
			b.Append(rows, i, rows.Weight(i))
		}
		skip = 0
	}
	return b.Finish(), nil
}

// decodeLog appends the rows under a key of a log to b.
func (f *viewForm) decodeLog(b *zset.Builder, value []byte) {
	for len(value) > 0 {
		w, size := binary.Uvarint(value)
		value = f.packs.Decode(value[size:], b, 0)
		b.EndRow(int64(w))
	}
}
