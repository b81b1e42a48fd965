package op

import (
	"bytes"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// upsert turns the change log of a TABLE into deltas. Its table has, under the key, the current row's other columns; with versions
//
//	[live: 1, deleted: 0] [the greatest version, order-preserving, NULL least] [other columns]
//
// where a deleted row stays as a tombstone, which later changes of lower version lose against.
type upsert struct {
	keyedRow
	table   state.Table
	version int
	order   *zset.KeyCodec

	peak        int
	groups      rowGroups
	retractions *zset.Builder
	inserts     []int32
	value       []byte
	latest, ver []byte
}

const (
	tombstone = 0
	live      = 1
)

// NewUpsert returns the operator that makes rows of the changes of a TABLE: weight +1 is an upsert, -1 a delete, of which only the keys
// (and the version) count. The last change in the order of the batch wins, or, where version >= 0 is a column, the greatest version, then the
// last. A row that stays equal in all columns makes no delta. Keys are positions; NULLs in them are equal.
func NewUpsert(t state.Table, ts []types.Type, keys []int, version int) Op {
	u := &upsert{keyedRow: newKeyedRow(ts, keys, -1), table: t, version: version}
	u.retractions = u.builder()
	if version >= 0 {
		u.order = zset.NewKeyCodec(ts[version:version+1], []zset.KeyOrder{{NullsFirst: true}})
	}
	return u
}

// Step implements Op.
func (u *upsert) Step(_ *Context, in []*zset.Batch) (*zset.Batch, error) {
	b := in[0]
	if b.Rows() == 0 {
		return nil, nil
	}
	u.group(&u.groups, b, nil)
	u.restOf(b)
	u.inserts = u.inserts[:0]
	var versions *zset.Vec
	if u.version >= 0 {
		versions = zset.Normalize(b.Cols[u.version])
	}
	for i := range u.groups.len() {
		key, rows := u.groups.key(i), u.groups.group(i)
		if versions == nil {
			u.replace(key, b, int(rows[len(rows)-1]))
		} else {
			u.compete(key, b, versions, rows)
		}
	}
	var old, now *zset.Batch
	if r := u.retractions.Finish(); r != nil {
		old = u.decoded(r)
	}
	if now = zset.GatherBatch(b, u.inserts); now != nil {
		now.W = nil
	}
	u.rest(b.N)
	return zset.Concat(u.types, old, now), nil
}

// rest lets go of the batch, and of scratch that steps such as this one don't need.
func (u *upsert) rest(rows int) {
	clear(u.cols)
	if u.peak = max(u.peak, rows); rows < restSmall && u.peak > restLarge {
		u.peak, u.groups, u.inserts = rows, rowGroups{}, nil
	}
}

// replace makes row the current one of its key.
func (u *upsert) replace(key []byte, b *zset.Batch, row int) {
	old, had := u.table.Get(key)
	if b.Weight(row) < 0 {
		if had {
			u.decode(u.retractions, key, old, -1)
			u.table.Delete(key)
		}
		return
	}
	u.value = u.restCodec.Append(u.value[:0], u.cols, row)
	if had && bytes.Equal(old, u.value) {
		return
	}
	if had {
		u.decode(u.retractions, key, old, -1)
	}
	u.inserts = append(u.inserts, int32(row))
	u.table.Put(key, u.value)
}

// compete makes the row of greatest version current, if it is not below the version that is.
func (u *upsert) compete(key []byte, b *zset.Batch, versions *zset.Vec, rows []int32) {
	old, had := u.table.Get(key)
	u.latest = u.latest[:0]
	if had {
		u.latest = append(u.latest, old[1:len(old)-len(u.order.Skip(old[1:], 1))]...)
	}
	winner := -1
	for _, row := range rows {
		u.ver = u.order.AppendCol(u.ver[:0], 0, versions, int(row))
		if !had && winner < 0 || bytes.Compare(u.ver, u.latest) >= 0 {
			winner = int(row)
			u.latest, u.ver = u.ver, u.latest
		}
	}
	if winner < 0 {
		return
	}
	insert := b.Weight(winner) > 0
	if u.value = append(u.value[:0], tombstone); insert {
		u.value[0] = live
	}
	u.value = append(u.value, u.latest...)
	if insert {
		u.value = u.restCodec.Append(u.value, u.cols, winner)
	}
	if had && bytes.Equal(old, u.value) {
		return
	}
	if had && old[0] == live {
		u.decode(u.retractions, key, u.order.Skip(old[1:], 1), -1)
	}
	if insert {
		u.inserts = append(u.inserts, int32(winner))
	}
	u.table.Put(key, u.value)
}
