package ingest

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"leat/internal/bus"
	"leat/internal/catalog"
	"leat/internal/types"
)

// DeadLetterID is the object ID of the built-in table of dead letters, which has one partition.
const DeadLetterID = catalog.DeadLetters

// DeadLetterName is its name in SQL.
const DeadLetterName = "leat_system.dead_letters"

var allocator = memory.NewGoAllocator()

// Letter is one record that could not be used.
type Letter struct {
	// ID is a UUID of version 7: letters sort by it in the order in which they came.
	ID uuid.UUID
	// StreamID and Stream name the stream as it was called then.
	StreamID types.ObjectID
	Stream   string
	At       time.Time
	Reason   types.Code
	Message  string
	// Path is the JSON path of the value at fault, "" for the whole record.
	Path string
	Hint string
	// Line and Record are 1-based places in the body that held it; 0 is unknown.
	Line, Record int
	// Raw is the record as it was sent, cut at Config.MaxLetterRaw bytes when Truncated is set: then it can't be replayed.
	Raw       []byte
	Truncated bool
	// Format is the format of Raw: json or csv (then with its header line).
	Format string
	// Token is the ID of the token that sent it.
	Token string
}

// DeadLetterSchema is the schema of the table of dead letters; its key is the column id. It never changes in
// place: a new version only adds columns.
var DeadLetterSchema = func() *types.Schema {
	s := &types.Schema{Version: 1}
	for _, c := range []struct {
		name string
		kind types.Kind
	}{
		{"id", types.UUID}, {"stream_id", types.UBigInt}, {"stream", types.Varchar}, {"received_at", types.TimestampTZ},
		{"reason", types.Varchar}, {"message", types.Varchar}, {"path", types.Varchar}, {"hint", types.Varchar},
		{"line", types.BigInt}, {"record", types.BigInt}, {"raw", types.Blob}, {"truncated", types.Boolean},
		{"format", types.Varchar}, {"token", types.Varchar},
	} {
		s.Add(c.name, types.Of(c.kind), c.name)
	}
	s.Columns[0].NotNull = true
	return s
}()

// DeadLetterObject returns the built-in table as a catalog object: rows go after ttl.
func DeadLetterObject(ttl time.Duration) *catalog.Object {
	return &catalog.Object{
		ID: DeadLetterID, Kind: catalog.TableKind, Name: DeadLetterName, Version: 1,
		Stream: &catalog.Stream{Schema: DeadLetterSchema, Partitions: 1, PrimaryKey: []int32{DeadLetterSchema.Columns[0].ID}, TTL: ttl, Closed: true},
	}
}

// letterRows makes upserts of letters.
func letterRows(letters []Letter) *types.Batch {
	var b letterBuilder
	b.init()
	for i := range letters {
		b.add(&letters[i])
	}
	return b.batch(len(letters), nil)
}

// letterDeletes makes deletes of letters.
func letterDeletes(ids []uuid.UUID) *types.Batch {
	var b letterBuilder
	b.init()
	weights := make([]int64, len(ids))
	for i, id := range ids {
		weights[i] = -1
		b.builders[0].(*array.FixedSizeBinaryBuilder).Append(id[:])
		for _, c := range b.builders[1:] {
			c.AppendNull()
		}
	}
	return b.batch(len(ids), weights)
}

// letterPart is an append's share for the table of dead letters.
func letterPart(batch *types.Batch) bus.Part {
	return bus.Part{Partition: types.PartitionID{Stream: DeadLetterID}, Batch: batch}
}

type letterBuilder struct{ builders []array.Builder }

func (b *letterBuilder) init() {
	for _, c := range DeadLetterSchema.Columns {
		b.builders = append(b.builders, array.NewBuilder(allocator, c.Type.Arrow()))
	}
}

func (b *letterBuilder) add(l *Letter) {
	text := func(column int, s string) {
		if s == "" {
			b.builders[column].AppendNull()
			return
		}
		b.builders[column].(*array.StringBuilder).Append(s)
	}
	number := func(column, n int) {
		if n <= 0 {
			b.builders[column].AppendNull()
			return
		}
		b.builders[column].(*array.Int64Builder).Append(int64(n))
	}
	b.builders[0].(*array.FixedSizeBinaryBuilder).Append(l.ID[:])
	b.builders[1].(*array.Uint64Builder).Append(uint64(l.StreamID))
	text(2, l.Stream)
	b.builders[3].(*array.TimestampBuilder).Append(arrow.Timestamp(l.At.UnixMicro()))
	text(4, string(l.Reason))
	text(5, l.Message)
	text(6, l.Path)
	text(7, l.Hint)
	number(8, l.Line)
	number(9, l.Record)
	b.builders[10].(*array.BinaryBuilder).Append(l.Raw)
	b.builders[11].(*array.BooleanBuilder).Append(l.Truncated)
	text(12, l.Format)
	text(13, l.Token)
}

func (b *letterBuilder) batch(rows int, weights []int64) *types.Batch {
	out := &types.Batch{Schema: DeadLetterSchema, Rows: rows, Weights: weights, Columns: make([]arrow.Array, len(b.builders))}
	for i, c := range b.builders {
		out.Columns[i] = c.NewArray()
	}
	return out
}
