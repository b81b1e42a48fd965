package query

import (
	"encoding/binary"

	"leat/internal/engine/zset"
	"leat/internal/push"
)

// version is the result as it is now.
func (r *liveResult) version() push.Version { return resultVersion{r.rows, r.mark} }

// resultVersion is a result at one moment. It implements push.Version.
type resultVersion struct {
	rows *zset.Batch
	mark push.Mark
}

// Retain implements push.Version.
func (resultVersion) Retain() {}

// Release implements push.Version.
func (resultVersion) Release() {}

// Mark implements push.Version.
func (v resultVersion) Mark() push.Mark { return v.mark }

// Rows implements push.Version.
func (v resultVersion) Rows() (n int64) {
	for i := range v.rows.Rows() {
		n += v.rows.Weight(i)
	}
	return n
}

// Scan implements push.Version.
func (v resultVersion) Scan(f *push.Filter, from []byte, limit int) (*zset.Batch, []byte) {
	at, _ := binary.Uvarint(from)
	if v.rows.Rows() <= int(at) {
		return nil, nil
	}
	end := min(int(at)+limit, v.rows.N)
	sel := make([]int32, 0, end-int(at))
	for i := int(at); i < end; i++ {
		sel = append(sel, int32(i))
	}
	page := f.Keep(zset.GatherBatch(v.rows, sel))
	if end == v.rows.N {
		return page, nil
	}
	return page, binary.AppendUvarint(nil, uint64(end))
}
