package pipeline

import (
	"encoding/json"
	"fmt"

	"leat/internal/engine/op"
	"leat/internal/types"
)

// metaVersion is the first byte of what a commit stores beside the state (docs/formats/pipeline.md).
const metaVersion = 1

// meta is what a pipeline commits with its state.
type meta struct {
	Incarnation uint64     `json:"incarnation"`
	Marks       []metaMark `json:"marks"`
	Views       []metaView `json:"views"`
	Steps       int64      `json:"steps"`
	// Epoch is that of the newest letters in the outbox or sent; 0 before the first.
	Epoch uint64 `json:"epoch"`
}

// metaMark is a place in one partition.
type metaMark struct {
	Stream    types.ObjectID `json:"stream"`
	Index     uint32         `json:"index"`
	Next      types.Offset   `json:"next"`
	Watermark int64          `json:"watermark"`
	// Origin is the first offset that the views have seen: immutable.
	Origin types.Offset `json:"origin"`
}

func (k metaMark) partition() types.PartitionID {
	return types.PartitionID{Stream: k.Stream, Index: k.Index}
}

// metaView is a view whose state is in the store. Slot decides its tables.
type metaView struct {
	ID   types.ObjectID `json:"id"`
	Slot uint32         `json:"slot"`
	// Plan is a digest of the plan and the key: state belongs to one.
	Plan string `json:"plan"`
	// Live is set once the view has caught up for the first time.
	Live   bool  `json:"live"`
	Failed int64 `json:"failed"`
	Late   int64 `json:"late"`
	// Indexes are the view's indexes.
	Indexes []metaIndex `json:"indexes,omitempty"`
}

// metaIndex is an index whose entries are in the store. Place decides its table.
type metaIndex struct {
	ID      uint32 `json:"id"`
	Columns []int  `json:"columns"`
	Place   uint32 `json:"place"`
	// Built is set once it has all entries.
	Built bool `json:"built"`
}

func (k metaIndex) index() op.Index { return op.Index{ID: k.ID, Columns: k.Columns} }

// places are where a reader goes on.
func (m *meta) places() map[types.PartitionID]mark {
	out := map[types.PartitionID]mark{}
	for _, k := range m.Marks {
		out[k.partition()] = mark{k.Next, k.Origin, k.Watermark}
	}
	return out
}

func (m *meta) encode() ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode the position: %w", err)
	}
	return append([]byte{metaVersion}, text...), nil
}

func decodeMeta(b []byte) (*meta, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if b[0] != metaVersion {
		return nil, types.Errorf(types.Corrupt, "the state has format version %d; this release reads %d", b[0], metaVersion)
	}
	m := new(meta)
	if err := json.Unmarshal(b[1:], m); err != nil {
		return nil, types.Errorf(types.Corrupt, "the position of the state can't be read: %w", err)
	}
	return m, nil
}
