package op

import (
	"bytes"
	"encoding/binary"
	"slices"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// Index is a second order of a view's rows.
type Index struct {
	// ID is not 0, and no other index of the view has it.
	ID uint32
	// Columns are the positions of the columns that it orders by; none is a STRUCT, LIST or MAP.
	Columns []int
}

// index is an index of a view under work. Its table has an entry for each row of the view: the indexed columns, then what tells the row from
// others with the same values there.
//
//	keyed  [columns, the key's other columns]                              -> nothing: the row lies under its key
//	rows   [columns, all other columns, those of columns that Normalize may change] -> weight
//	log    [columns, number of the rows before it]                         -> weight, packed row
//
// Columns are normalised.
type index struct {
	form  *indexForm
	table state.Table
	// built says that every row has its entry; until then those whose key in the view's table is below next.
	built bool
	next  []byte
	// done counts the rows that Build has made entries for.
	done int64

	was, is []byte
}

// indexForm is how the entries of an index lie; it is immutable, and shared with snapshots.
type indexForm struct {
	order ViewOrder
	// codec is of the entry's columns, whose positions in the view are columns; the first are the indexed ones.
	codec   *zset.KeyCodec
	columns []int
	indexed int
	// exact are the places among columns that give a row's columns, by the view's key columns: all columns where it has no key.
	exact []int
}

func newIndexForm(f *viewForm, ix Index) *indexForm {
	x := &indexForm{columns: slices.Clone(ix.Columns), indexed: len(ix.Columns)}
	for _, c := range f.key {
		if !slices.Contains(ix.Columns, c) {
			x.columns = append(x.columns, c)
		}
	}
	ordered := len(x.columns)
	if !f.keyed {
		ordered = x.indexed + leadingCanonical(f.types, x.columns[x.indexed:])
		for _, c := range ix.Columns {
			if !f.log && !zset.Canonical(f.types[c]) {
				x.columns = append(x.columns, c)
			}
		}
	}
	x.order = ViewOrder{Index: ix.ID, Columns: x.columns[:ordered:ordered], Unique: f.keyed}
	ts := make([]types.Type, len(x.columns))
	for i, c := range x.columns {
		ts[i] = f.types[c]
	}
	x.codec = zset.NewKeyCodec(ts, nil)
	for _, c := range f.key {
		at := slices.Index(x.columns, c)
		if last := len(x.columns) - 1 - slices.Index(reversed(x.columns), c); !f.keyed {
			at = last
		}
		x.exact = append(x.exact, at)
	}
	return x
}

func reversed(s []int) []int {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

// leadingCanonical is how many of the first columns have no values that differ and are equal in SQL: rows that are ordered by their bytes are
// ordered by these in SQL as well.
func leadingCanonical(ts []types.Type, columns []int) int {
	for i, c := range columns {
		if !zset.Canonical(ts[c]) {
			return i
		}
	}
	return len(columns)
}

// appendEntry appends the entry of a row, for a log without its number. cols are all columns of the view, normal the same, normalised.
func (x *indexForm) appendEntry(dst []byte, cols, normal []*zset.Vec, row int) []byte {
	for i, c := range x.columns {
		from := cols
		if i < x.indexed {
			from = normal
		}
		dst = x.codec.AppendCol(dst, i, from[c], row)
	}
	return dst
}

// AddIndex gives the view an index whose entries lie in table. built says that table has them all; else Build makes them.
func (v *View) AddIndex(ix Index, table state.Table, built bool) {
	v.indexes = append(v.indexes, &index{form: newIndexForm(v.form, ix), table: table, built: built})
	slices.SortFunc(v.indexes, func(a, b *index) int { return int(a.form.order.Index) - int(b.form.order.Index) })
	v.reorder()
}

// DropIndex takes an index away; its table is the caller's to drop.
func (v *View) DropIndex(id uint32) {
	v.indexes = slices.DeleteFunc(v.indexes, func(x *index) bool { return x.form.order.Index == id })
	v.reorder()
}

// reorder renews the orders that snapshots tell.
func (v *View) reorder() {
	v.orders = []ViewOrder{v.form.order}
	for _, x := range v.indexes {
		if x.built {
			v.orders = append(v.orders, x.form.order)
		}
	}
}

// Built tells of an index whether it is complete; snapshots know it from then on.
func (v *View) Built(id uint32) bool {
	return slices.ContainsFunc(v.orders, func(o ViewOrder) bool { return o.Index == id })
}

// Progress is how much of an index is complete, from 0 to 1.
func (v *View) Progress(id uint32) float64 {
	i := slices.IndexFunc(v.indexes, func(x *index) bool { return x.form.order.Index == id })
	switch {
	case i < 0:
		return 0
	case v.indexes[i].built:
		return 1
	}
	return min(0.99, float64(v.indexes[i].done)/float64(max(v.rows, 1)))
}

// Build makes the entries of about so many rows for one of the indexes that are not complete, in the order of the view's own table; more says
// that rows are left. Between two calls the view may change.
func (v *View) Build(rows int) (more bool) {
	i := slices.IndexFunc(v.indexes, func(x *index) bool { return !x.built })
	if i < 0 {
		return false
	}
	x := v.indexes[i]
	if v.form.log {
		v.buildLog(x, rows)
	} else {
		v.build(x, rows)
	}
	if x.built {
		v.reorder()
	}
	return slices.ContainsFunc(v.indexes, func(x *index) bool { return !x.built })
}

func (v *View) build(x *index, rows int) {
	b := zset.NewBuilder(v.form.types)
	it := v.table.Scan(x.next, nil)
	x.built = true
	for it.Next() {
		if b.Len() == rows {
			x.built, x.next = false, bytes.Clone(it.Key())
			it.Close()
			break
		}
		v.form.decode(b, it.Key(), it.Value())
	}
	d := b.Finish()
	x.done += int64(d.Rows())
	v.normalize(d)
	for i := range d.Rows() {
		x.is = x.form.appendEntry(x.is[:0], v.form.entryColumns(d.Cols, v.normal), v.normal, i)
		if v.form.keyed {
			x.table.Put(x.is, nil)
		} else {
			x.table.Add(x.is, d.Weight(i))
		}
		v.written += int64(len(x.is))
	}
	clear(v.normal)
}

func (v *View) buildLog(x *index, rows int) {
	it := v.table.Scan(x.next, nil)
	x.built = true
	for it.Next() {
		if rows <= 0 {
			x.built, x.next = false, bytes.Clone(it.Key())
			it.Close()
			break
		}
		b := zset.NewBuilder(v.form.types)
		v.form.decodeLog(b, it.Value())
		d := b.Finish()
		v.normalize(d)
		v.indexLog(x, d, binary.BigEndian.Uint64(it.Key()))
		rows -= d.Rows()
		x.done += int64(d.Rows())
	}
	clear(v.normal)
}

// Written is about how many bytes of entries indexes have taken in since it was last asked.
func (v *View) Written() int64 {
	n := v.written
	v.written = 0
	return n
}

// indexLog makes the entries of rows of a log; before is the number of rows before them.
func (v *View) indexLog(x *index, d *zset.Batch, before uint64) {
	for i := range d.Rows() {
		w := uint64(d.Weight(i))
		x.is = x.form.appendEntry(x.is[:0], d.Cols, v.normal, i)
		x.is = binary.BigEndian.AppendUint64(x.is, before)
		x.was = v.form.packs.Append(binary.AppendUvarint(x.was[:0], w), d.Cols, i)
		x.table.Put(x.is, x.was)
		v.written += int64(len(x.is) + len(x.was))
		before += w
	}
}

// indexed reports whether rows under a key of the view's table have entries in x.
func (x *index) indexed(key []byte) bool { return x.built || bytes.Compare(key, x.next) < 0 }

// entryColumns are the columns of which entries have what is not indexed: a keyed view's are normalised, as its keys are.
func (f *viewForm) entryColumns(cols, normal []*zset.Vec) []*zset.Vec {
	if f.keyed {
		return normal
	}
	return cols
}

// normalize makes v.normal the columns of d that indexes and the key need, normalised.
func (v *View) normalize(d *zset.Batch) {
	if len(v.indexes) == 0 || d == nil {
		return
	}
	v.normal = slices.Grow(v.normal[:0], len(d.Cols))[:len(d.Cols)]
	clear(v.normal)
	for _, x := range v.indexes {
		for i, c := range x.form.columns {
			if v.normal[c] == nil && (i < x.form.indexed || v.form.keyed) {
				v.normal[c] = zset.Normalize(d.Cols[c])
			}
		}
	}
}

// replaceEntries puts the entries of row is in the place of those of row was, either -1 for none; v.enc is their key in the view's table.
func (v *View) replaceEntries(was, is int) {
	for _, x := range v.indexes {
		if !x.indexed(v.enc) {
			continue
		}
		if was >= 0 {
			x.was = x.form.appendEntry(x.was[:0], v.normal, v.normal, was)
		}
		if is >= 0 {
			x.is = x.form.appendEntry(x.is[:0], v.normal, v.normal, is)
		}
		if was >= 0 && is >= 0 && bytes.Equal(x.was, x.is) {
			continue
		}
		if was >= 0 {
			x.table.Delete(x.was)
			v.written += int64(len(x.was))
		}
		if is >= 0 {
			x.table.Put(x.is, nil)
			v.written += int64(len(x.is))
		}
	}
}

// addEntries adds to the weight of the entries of a row, whose key in the view's table is v.enc.
func (v *View) addEntries(d *zset.Batch, row int, w int64) {
	for _, x := range v.indexes {
		if x.indexed(v.enc) {
			x.is = x.form.appendEntry(x.is[:0], d.Cols, v.normal, row)
			x.table.Add(x.is, w)
			v.written += int64(len(x.is))
		}
	}
}
