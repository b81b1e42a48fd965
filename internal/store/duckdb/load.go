package duckdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/bus"
	"leat/internal/duck"
	"leat/internal/store"
	"leat/internal/types"
)

// piece is the part of one entry that is not loaded yet.
type piece struct {
	partition uint32
	first     types.Offset
	batch     *types.Batch
	// runs describe the batch's rows.
	runs []bus.Run
}

// Load implements store.Store. Rows of a relation that was never defined are types.NotFound, and then nothing is loaded. Where the tail is full,
// Load seals it first. After the database had to be opened again one Load fails with types.Unavailable: loading goes on from Loaded.
func (s *Store) Load(ctx context.Context, loads []store.Load) error {
	if err := s.healed(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.tail.bytes >= tailSeals*s.opts.SealBytes {
		s.mu.Unlock()
		err := s.seal(ctx)
		s.mu.Lock()
		if err != nil {
			return err
		}
	}
	switch {
	case s.closed:
		return types.Errorf(types.Unavailable, "the store is closed")
	case s.lost:
		s.lost = false
		return types.Errorf(types.Unavailable, "the store was opened again; loading goes on from its file")
	}
	next, streams := s.missing(loads)
	if len(next) == 0 {
		return nil
	}
	if len(streams) > 0 {
		if err := s.transact(ctx, s.writer, func(ctx context.Context) error {
			for id, pieces := range streams {
				if err := s.loadStream(ctx, id, pieces); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	s.tail.add(streams, s.opts.Now())
	s.posMu.Lock()
	defer s.posMu.Unlock()
	for p, n := range next {
		s.loaded[p] = n
	}
	return nil
}

// missing is what of the loads is not loaded: the new positions, and the rows by stream.
func (s *Store) missing(loads []store.Load) (map[types.PartitionID]types.Offset, map[types.ObjectID][]piece) {
	next := map[types.PartitionID]types.Offset{}
	streams := map[types.ObjectID][]piece{}
	s.posMu.Lock()
	defer s.posMu.Unlock()
	for _, l := range loads {
		from := max(s.loaded[l.Partition], next[l.Partition])
		for _, e := range l.Entries {
			if p, ok := unloaded(l.Partition.Index, e, from); ok {
				streams[l.Partition.Stream] = append(streams[l.Partition.Stream], p)
			}
			from = max(from, e.Next)
		}
		if l.Next > s.loaded[l.Partition] {
			next[l.Partition] = max(from, l.Next)
		}
	}
	return next, streams
}

// unloaded cuts an entry to the rows at or after from; false if there are none.
func unloaded(partition uint32, e *bus.Entry, from types.Offset) (piece, bool) {
	if e.Batch == nil || e.Next <= from {
		return piece{}, false
	}
	skip := 0
	if from > e.First {
		skip = int(from - e.First)
	}
	if skip >= e.Batch.Rows {
		return piece{}, false
	}
	p := piece{partition: partition, first: e.First + types.Offset(skip), batch: e.Batch.Slice(skip, e.Batch.Rows)}
	for _, r := range e.Runs {
		cut := min(skip, r.Rows)
		skip -= cut
		if r.Rows -= cut; r.Rows > 0 {
			p.runs = append(p.runs, r)
		}
	}
	return p, true
}

func (s *Store) loadStream(ctx context.Context, id types.ObjectID, pieces []piece) error {
	r, ok := s.relations[id]
	if !ok || r.Schema == nil {
		return types.Errorf(types.NotFound, "the store knows no stream or table with ID %d", id)
	}
	// Pieces of one schema version become one append.
	for len(pieces) > 0 {
		version := pieces[0].batch.Schema.Version
		n := slices.IndexFunc(pieces, func(p piece) bool { return p.batch.Schema.Version != version })
		if n < 0 {
			n = len(pieces)
		}
		if err := s.appendPieces(ctx, r, pieces[:n]); err != nil {
			return fmt.Errorf("load %s: %w", r.Name, err)
		}
		pieces = pieces[n:]
	}
	return nil
}

// appendPieces appends rows of one schema version. Columns that the version lacks are NULL, those that were dropped since are ignored,
// and those of another type are converted where they can be.
func (s *Store) appendPieces(ctx context.Context, r *relation, pieces []piece) error {
	names, colTypes, cols := metaColumns(pieces, r)
	schema := pieces[0].batch.Schema
	rows, convert := cols[0].Len(), false
	for _, p := range r.physical {
		names = append(names, p.name())
		i := schema.IndexID(p.id)
		if i < 0 {
			colTypes, cols = append(colTypes, p.typ), append(cols, array.MakeArrayOfNull(memory.DefaultAllocator, p.typ.Arrow(), rows))
			continue
		}
		col, err := joined(pieces, i)
		if err != nil {
			return err
		}
		t := schema.Columns[i].Type
		convert = convert || t.String() != p.typ.String()
		colTypes, cols = append(colTypes, t), append(cols, col)
	}
	rec := duck.Record(names, colTypes, cols, rows)
	if !convert {
		return s.writer.Append(tailCatalog, "main", r.tailName(s.tail.index), rec)
	}
	return s.convert(ctx, r, names, colTypes, rec)
}

// convert loads rows of an older schema through a temporary table, casting as Define's ALTER did. A value that can't be
// converted would have made that ALTER fail; it becomes NULL here, since refusing it would stop the stream for ever.
func (s *Store) convert(ctx context.Context, r *relation, names []string, from []types.Type, rec arrow.RecordBatch) error {
	defs, casts := make([]string, len(names)), make([]string, len(names))
	offset := len(names) - len(r.physical)
	for i, n := range names {
		defs[i], casts[i] = n+" "+from[i].String(), n
		if i >= offset {
			casts[i] = fmt.Sprintf("TRY_CAST(%s AS %s)", n, r.physical[i-offset].typ)
		}
	}
	if err := exec(ctx, s.writer, fmt.Sprintf("CREATE OR REPLACE TEMP TABLE leat_convert (%s)", strings.Join(defs, ", "))); err != nil {
		return err
	}
	if err := s.writer.Append("temp", "main", "leat_convert", rec); err != nil {
		return err
	}
	return exec(ctx, s.writer, fmt.Sprintf("INSERT INTO %s SELECT %s FROM leat_convert", r.tail(s.tail.index), strings.Join(casts, ", ")), "DROP TABLE leat_convert")
}

// joined is column i of all pieces as one array.
func joined(pieces []piece, i int) (arrow.Array, error) {
	if len(pieces) == 1 {
		return pieces[0].batch.Columns[i], nil
	}
	parts := make([]arrow.Array, len(pieces))
	for j, p := range pieces {
		parts[j] = p.batch.Columns[i]
	}
	a, err := array.Concatenate(parts, memory.DefaultAllocator)
	if err != nil {
		return nil, types.Errorf(types.Internal, "join batches: %w", err)
	}
	return a, nil
}

// metaColumns builds _partition, _offset, _at, _wm and, for tables, _op.
func metaColumns(pieces []piece, r *relation) ([]string, []types.Type, []arrow.Array) {
	mem := memory.DefaultAllocator
	part, off := array.NewUint32Builder(mem), array.NewUint64Builder(mem)
	tz := types.Of(types.TimestampTZ).Arrow().(*arrow.TimestampType)
	at, wm := array.NewTimestampBuilder(mem, tz), array.NewTimestampBuilder(mem, tz)
	op := array.NewInt8Builder(mem)
	for _, p := range pieces {
		part.Reserve(p.batch.Rows)
		off.Reserve(p.batch.Rows)
		at.Reserve(p.batch.Rows)
		wm.Reserve(p.batch.Rows)
		row := 0
		for _, run := range p.runs {
			for range run.Rows {
				part.UnsafeAppend(p.partition)
				off.UnsafeAppend(uint64(p.first) + uint64(row))
				at.UnsafeAppend(arrow.Timestamp(run.At))
				if run.Watermark == types.NoWatermark {
					wm.UnsafeAppendBoolToBitmap(false)
				} else {
					wm.UnsafeAppend(arrow.Timestamp(run.Watermark))
				}
				if r.keyed() {
					op.Append(int8(p.batch.Weight(row)))
				}
				row++
			}
		}
	}
	kinds := []types.Type{types.Of(types.UInteger), types.Of(types.UBigInt), types.Of(types.TimestampTZ), types.Of(types.TimestampTZ)}
	cols := []arrow.Array{part.NewArray(), off.NewArray(), at.NewArray(), wm.NewArray()}
	if r.keyed() {
		kinds, cols = append(kinds, types.Of(types.TinyInt)), append(cols, op.NewArray())
	}
	return r.meta(), kinds, cols
}

// Rewind implements store.Store.
func (s *Store) Rewind(ctx context.Context, to []types.Cursor) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.sealAll(ctx); err != nil {
		return err
	}
	position := s.snapshot()
	for _, c := range to {
		if position[c.Partition] > c.Next {
			position[c.Partition] = c.Next
		}
	}
	if err := s.transact(ctx, s.keeper, func(ctx context.Context) error {
		for _, c := range to {
			if r, ok := s.relations[c.Partition.Stream]; ok && r.Schema != nil {
				if err := exec(ctx, s.keeper, fmt.Sprintf("DELETE FROM %s WHERE _partition = %d AND _offset >= %d", r.table(), c.Partition.Index, c.Next)); err != nil {
					return err
				}
			}
		}
		return s.writeOffsets(ctx, position)
	}); err != nil {
		return err
	}
	s.unsaved = position
	s.posMu.Lock()
	defer s.posMu.Unlock()
	s.loaded = maps.Clone(position)
	for p, n := range s.durable {
		s.durable[p] = min(n, position[p])
	}
	return nil
}
