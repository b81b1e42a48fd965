package pipeline

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"

	"leat/internal/types"
)

var update = flag.Bool("update", false, "write the sample of the format anew; only for a new version")

const samplePath = "testdata/v1.meta"

func sample() *meta {
	return &meta{
		Incarnation: 1<<63 + 5, Steps: 12, Epoch: 1_700_000_000_000_001,
		Marks: []metaMark{{Next: 3, Watermark: start}, {Stream: 7, Index: 1, Next: 1 << 40, Watermark: types.NoWatermark, Origin: 9}},
		Views: []metaView{{ID: 8, Plan: "00112233445566778899aabbccddeeff", Live: true, Failed: 3}, {ID: 10, Slot: 4, Plan: "ff", Late: 5}},
	}
}

// Every later release must read the sample.
func TestMetaSample(t *testing.T) {
	want, err := sample().encode()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(samplePath, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(samplePath)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeMeta(stored)
	if err != nil || !reflect.DeepEqual(got, sample()) {
		t.Errorf("read %+v, %v", got, err)
	}
	if !bytes.Equal(stored, want) {
		t.Error("the format changed: it needs a new version")
	}
}

func FuzzMeta(f *testing.F) {
	b, err := sample().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{2})
	f.Add([]byte{1, '{'})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMeta(b)
		switch {
		case err != nil:
			if !types.HasCode(err, types.Corrupt) {
				t.Errorf("%v is not %s", err, types.Corrupt)
			}
		case m != nil:
			if _, err := m.encode(); err != nil {
				t.Error(err)
			}
			m.places()
		}
	})
}
