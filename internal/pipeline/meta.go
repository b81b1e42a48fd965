package pipeline

import (
	"encoding/json"
	"fmt"

	"leat/internal/types"
)

// metaVersion is the first byte of what a commit stores beside the state (docs/formats/state.md).
const metaVersion = 1

// meta is what a pipeline commits with its state.
type meta struct {
	Incarnation uint64     `json:"incarnation"`
	Marks       []metaMark `json:"marks"`
	Views       []metaView `json:"views"`
	Steps       int64      `json:"steps"`
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

// metaView is a view whose state is in the store. Slot decides its tables.
type metaView struct {
	ID   types.ObjectID `json:"id"`
	Slot uint32         `json:"slot"`
	// Plan is a digest of the plan: state belongs to one plan.
	Plan string `json:"plan"`
	// Live is set once the view has caught up for the first time.
	Live   bool  `json:"live"`
	Failed int64 `json:"failed"`
	Late   int64 `json:"late"`
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
