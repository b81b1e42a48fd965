package pebblelog

import (
	"bytes"
	"encoding/binary"
	"flag"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/bus"
	"leat/internal/bus/bustest"
	"leat/internal/types"
)

var update = flag.Bool("update", false, "rewrite testdata")

// sample returns entries of every kind, as they were when the file in testdata was written.
func sample(t testing.TB) (info *schemaInfo, batches []*types.Batch, values [][]byte) {
	t.Helper()
	info, err := newSchemaInfo(bustest.AllTypes())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	total := uint64(0)
	for i, rows := range []int{1, 9, 40} {
		b := bustest.Random(rng, info.schema, rows)
		if i == 1 {
			b.Weights = []int64{1, -1, 1, 1, 2, 1, 1, -1, 1}
		}
		e, err := encode(info, []*types.Batch{b})
		if err != nil {
			t.Fatal(err)
		}
		total += uint64(rows)
		h := header{kind: kindRows, codec: e.codec, weights: b.Weights != nil, first: types.Offset(100 * i), rows: rows, watermark: 1_700_000_000_000_000,
			runs: []bus.Run{{Rows: 1, At: 1_750_000_000_000_000, Watermark: types.NoWatermark}, {Rows: rows - 1, At: 1_750_000_000_000_001, Watermark: 5}},
			age:  -3, hasAge: i > 0, totalRows: total, totalBytes: 77, fingerprint: info.fingerprint, rawLen: e.rawLen, payloadLen: len(e.payload), payloadCRC: e.crc}
		batches, values = append(batches, b), append(values, append(h.append(nil), e.payload...))
	}
	mark := header{kind: kindMark, first: 300, watermark: 9, totalRows: total, totalBytes: 78, runs: []bus.Run{{At: 1_750_000_000_000_009, Watermark: 9}}}
	return info, append(batches, nil), append(values, mark.append(nil))
}

const sampleFile = "testdata/entries-v1.bin"

// TestSample reads what format 1 looked like when it was made (docs/formats/log.md): the schema and four entries,
// each after its length in 4 bytes.
func TestSample(t *testing.T) {
	info, batches, values := sample(t)
	if *update {
		var out []byte
		for _, v := range append([][]byte{info.wire}, values...) {
			out = append(binary.LittleEndian.AppendUint32(out, uint32(len(v))), v...)
		}
		if err := os.WriteFile(sampleFile, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	next := func() []byte {
		n := binary.LittleEndian.Uint32(file)
		v := file[4 : 4+n]
		file = file[4+n:]
		return v
	}
	wire := next()
	old, err := parseSchema(wire)
	if err != nil || !bytes.Equal(wire, info.wire) || old.fingerprint != info.fingerprint {
		t.Fatalf("schema %s, now written as %s (%v)", wire, info.wire, err)
	}
	find := func(uint64) *schemaInfo { return old }
	for i, want := range batches {
		stored := next()
		got, h, err := decodeEntry(stored, find)
		if err != nil {
			t.Fatal(err)
		}
		if h.codec == codecNone && !bytes.Equal(stored, values[i]) { // S2 may compress better one day
			t.Fatalf("entry %d is written in other bytes now", i)
		}
		again, _, err := decodeEntry(values[i], find)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			if got.Batch != nil || got.Next != 301 || got.Runs[0].Watermark != 9 {
				t.Fatalf("mark %+v", got)
			}
			continue
		}
		sameBatch(t, got.Batch, want)
		sameBatch(t, again.Batch, want)
		if got.First != types.Offset(100*i) || len(got.Runs) != 2 || got.Runs[0].Watermark != types.NoWatermark || got.Runs[1].Watermark != 5 {
			t.Fatalf("entry %d: %+v", i, got)
		}
	}
}

func sameBatch(t *testing.T, a, b *types.Batch) {
	t.Helper()
	for i := range b.Columns {
		if !array.ApproxEqual(a.Columns[i], b.Columns[i], array.WithNaNsEqual(true)) {
			t.Fatalf("column %d is %v, want %v", i, a.Columns[i], b.Columns[i])
		}
	}
	for i := range b.Rows {
		if a.Weight(i) != b.Weight(i) {
			t.Fatalf("weight of row %d is %d, want %d", i, a.Weight(i), b.Weight(i))
		}
	}
}

// FuzzDecodeEntry gives the decoder any bytes. Checksums are mended first, else nothing would come past them.
func FuzzDecodeEntry(f *testing.F) {
	info, _, values := sample(f)
	for _, v := range values {
		f.Add(v)
		if h, payload, err := parseHeader(v); err == nil && h.codec == codecS2 { // so that changes reach the block
			raw, err := unpack(h.codec, payload, h.rawLen)
			if err != nil {
				f.Fatal(err)
			}
			h.codec, h.payloadLen, h.payloadCRC = codecNone, len(raw), crc32.Checksum(raw, castagnoli)
			f.Add(append(h.append(nil), raw...))
		}
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		mendChecksums(v)
		e, h, err := decodeEntry(v, func(uint64) *schemaInfo { return info })
		if err != nil {
			if !types.HasCode(err, types.Corrupt) {
				t.Fatalf("error without a code: %v", err)
			}
			return
		}
		if e.Next != h.next() || e.Batch == nil != (h.kind == kindMark) {
			t.Fatalf("%+v of %+v", e, h)
		}
		if e.Batch != nil {
			for i := range e.Batch.Columns { // every value can be looked at
				_ = e.Batch.Columns[i].String()
			}
			if _, err := encode(info, []*types.Batch{e.Batch}); err != nil {
				t.Fatalf("a batch that was read cannot be written: %v", err)
			}
		}
	})
}

func mendChecksums(v []byte) {
	if len(v) < entryPrefixLen {
		return
	}
	n := binary.LittleEndian.Uint32(v[4:])
	if n < entryPrefixLen+4 || uint64(n) > uint64(len(v)) {
		return
	}
	if v[1] == kindRows {
		binary.LittleEndian.PutUint32(v[n-4:], crc32.Checksum(v[n:], castagnoli))
	}
	binary.LittleEndian.PutUint32(v[8:], headerCRC(v[:n]))
}
