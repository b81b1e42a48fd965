package op

import (
	"bytes"
	"encoding/binary"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// View is the materialised result of a root: its rows, kept in state. It belongs to the goroutine that steps the circuit; others read the
// ViewSnapshots that it makes.
//
// With a key its first table has [key columns] -> packed row, and each row has weight 1; without one [all columns] -> weight, and rows may
// have any weight. The second table has the number of rows. Indexes have a table each.
type View struct {
	form    *viewForm
	table   state.Table
	meta    state.Table
	rows    int64
	indexes []*index
	// orders are what snapshots tell; never changed in place.
	orders []ViewOrder
	// written counts the bytes of entries of indexes since Written was asked.
	written int64

	grouper    grouper
	was, is    []int32
	enc, row   []byte
	keyColumns []*zset.Vec
	// normal are the columns of the delta under work that indexes need, normalised.
	normal []*zset.Vec
}

// viewForm is how a view's rows lie in its table; it is immutable, and shared with snapshots.
type viewForm struct {
	types []types.Type
	// key are the positions of the key columns; keyed says that they are known to be one (else they are all columns).
	key   []int
	keyed bool
	codec *zset.KeyCodec
	packs *zset.RowCodec
	// log says that rows lie in the order in which they came.
	log   bool
	order ViewOrder
}

// rowsKey is where the second table has the number of rows.
const rowsKey = "rows"

// NewView returns the view of rows of the given types. key are the positions of columns that no two rows agree in (SQL's equality, NULL
// equal to NULL), in the order that look-ups and scans go by; an empty key that is not nil allows one row. A nil key is none.
func NewView(ts []types.Type, key []int, tables Tables) *View {
	f := &viewForm{types: ts, key: key, keyed: key != nil, packs: zset.NewRowCodec(ts)}
	if !f.keyed {
		for i := range ts {
			f.key = append(f.key, i)
		}
	}
	var kts []types.Type
	for _, c := range f.key {
		kts = append(kts, ts[c])
	}
	f.codec = zset.NewKeyCodec(kts, nil)
	return openView(f, tables)
}

// NewViewLog returns the view of rows without a key that are never retracted. Its rows are found by no column (Key is empty, Get finds nothing),
// and scanned in the order in which they came.
func NewViewLog(ts []types.Type, tables Tables) *View {
	return openView(&viewForm{types: ts, key: []int{}, packs: zset.NewRowCodec(ts), log: true}, tables)
}

func openView(f *viewForm, tables Tables) *View {
	f.order = ViewOrder{Columns: f.key, Unique: f.keyed}
	if !f.keyed {
		f.order.Columns = f.key[:leadingCanonical(f.types, f.key)]
	}
	v := &View{form: f, table: tables(), meta: tables(), orders: []ViewOrder{f.order}}
	if n, ok := v.meta.Get([]byte(rowsKey)); ok {
		v.rows, _ = readVarint(n)
	}
	return v
}

// Rows is the number of rows, each counted as often as its weight.
func (v *View) Rows() int64 { return v.rows }

// Apply takes a step's change into the view and returns it consolidated (nil if nothing is left of it). An error says that the key does not
// hold, or that a row was retracted that is not there; the view is then half changed and the step must not be committed.
func (v *View) Apply(delta *zset.Batch) (*zset.Batch, error) {
	d := delta
	if !v.form.log || d.Rows() == 0 || d.W != nil {
		d = zset.Consolidate(delta)
	}
	if d == nil {
		v.grouper.rest()
		return nil, nil
	}
	before := v.rows
	v.normalize(d)
	var err error
	switch {
	case v.form.log:
		err = v.applyLog(d)
	case v.form.keyed:
		err = v.applyKeyed(d)
	default:
		v.applyRows(d)
	}
	if v.rows != before {
		v.meta.Put([]byte(rowsKey), binary.AppendVarint(v.enc[:0], v.rows))
	}
	clear(v.keyColumns)
	clear(v.normal)
	v.grouper.release()
	return d, err
}

func (v *View) applyRows(d *zset.Batch) {
	for i := range d.N {
		w := d.Weight(i)
		v.enc = v.form.appendKey(v.enc[:0], d.Cols, i)
		v.table.Add(v.enc, w)
		v.addEntries(d, i, w)
		v.rows += w
	}
}

// logBytes is about how many bytes of rows lie under one key: few enough for several in a leaf of state.
const logBytes = 2 << 10

func (v *View) applyLog(d *zset.Batch) error {
	first := v.rows
	for _, x := range v.indexes {
		if x.built { // else these rows come after those that it has
			v.indexLog(x, d, uint64(first))
		}
	}
	v.row = v.row[:0]
	for i := range d.N {
		w := d.Weight(i)
		if w < 0 {
			return types.Errorf(types.Internal, "BUG: a row was retracted from a view of rows that never are")
		}
		v.row = binary.AppendUvarint(v.row, uint64(w))
		v.row = v.form.packs.Append(v.row, d.Cols, i)
		v.rows += w
		if len(v.row) >= logBytes || i == d.N-1 {
			v.enc = binary.BigEndian.AppendUint64(v.enc[:0], uint64(first))
			v.table.Put(v.enc, v.row)
			first, v.row = v.rows, v.row[:0]
		}
	}
	return nil
}

// applyKeyed pairs what goes and what comes under each key, so that one Get and one write do.
func (v *View) applyKeyed(d *zset.Batch) error {
	v.keyColumns = v.keyColumns[:0]
	for _, c := range v.form.key {
		v.keyColumns = append(v.keyColumns, zset.Normalize(d.Cols[c]))
	}
	gid, first := v.grouper.assign(v.keyColumns, d.N)
	v.was, v.is = unset(v.was, len(first)), unset(v.is, len(first))
	for i, g := range gid {
		side := &v.is[g]
		w := d.Weight(i)
		if w < 0 {
			side = &v.was[g]
		}
		if w != 1 && w != -1 || *side >= 0 {
			return v.violated(i)
		}
		*side = int32(i)
	}
	for g := range first {
		if err := v.replace(d, int(v.was[g]), int(v.is[g])); err != nil {
			return err
		}
	}
	return nil
}

// replace puts row is in the place of row was; either may be -1, none.
func (v *View) replace(d *zset.Batch, was, is int) error {
	v.enc = v.form.appendKey(v.enc[:0], v.keyColumns, max(was, is))
	old, found := v.table.Get(v.enc)
	if was >= 0 {
		v.row = v.form.packs.Append(v.row[:0], d.Cols, was)
		if !found || !bytes.Equal(old, v.row) {
			return types.Errorf(types.Internal, "a row was retracted from a view that does not have it; its key is %s", describeKey(v.keyColumns, was))
		}
		v.rows--
	} else if found {
		return v.violated(is)
	}
	v.replaceEntries(was, is)
	if is < 0 {
		v.table.Delete(v.enc)
		return nil
	}
	v.row = v.form.packs.Append(v.row[:0], d.Cols, is)
	v.table.Put(v.enc, v.row)
	v.rows++
	return nil
}

func (v *View) violated(row int) error {
	return types.Errorf(types.Internal, "a view has two rows with the key %s", describeKey(v.keyColumns, row))
}

// appendKey appends the state key of a row; cols are the key's columns, all or the first of them, normalised where the view is keyed.
func (f *viewForm) appendKey(dst []byte, cols []*zset.Vec, row int) []byte {
	if len(f.key) == 0 {
		return append(dst, 0)
	}
	return f.codec.Append(dst, cols, row)
}

// Snapshot returns the view as it is now. It belongs to no goroutine; close it once.
func (v *View) Snapshot() *ViewSnapshot {
	s := &ViewSnapshot{form: v.form, table: v.table.Snapshot(), rows: v.rows, orders: v.orders}
	for _, x := range v.indexes {
		if x.built {
			s.indexes = append(s.indexes, indexSnapshot{form: x.form, table: x.table.Snapshot()})
		}
	}
	return s
}
