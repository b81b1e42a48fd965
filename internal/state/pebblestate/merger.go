package pebblestate

import (
	"io"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/state"
)

// merger adds weights. A sum of 0 stays, and readers skip it: Pebble 2.1 loses its place in a compaction where a merger deletes
// (cockroachdb/pebble issue 6168).
func merger() *pebble.Merger {
	return &pebble.Merger{
		Name: "leat.weights.1",
		Merge: func(_, value []byte) (pebble.ValueMerger, error) {
			m := &weights{}
			return m, m.MergeNewer(value)
		},
	}
}

// weights implements pebble.ValueMerger.
type weights struct{ sum int64 }

// MergeNewer implements pebble.ValueMerger.
func (m *weights) MergeNewer(value []byte) error {
	v, _, err := decodeRow(value)
	if err != nil {
		return err
	}
	m.sum += state.WeightOf(v)
	return nil
}

// MergeOlder implements pebble.ValueMerger.
func (m *weights) MergeOlder(value []byte) error { return m.MergeNewer(value) }

// Finish implements pebble.ValueMerger.
func (m *weights) Finish(bool) ([]byte, io.Closer, error) {
	return state.AppendWeight([]byte{weightRow}, m.sum), nil, nil
}
