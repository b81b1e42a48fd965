package pebblelog

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"leat/internal/bus"
	"leat/internal/types"
)

// stream is a configured stream.
type stream struct {
	id    types.ObjectID
	rule  atomic.Pointer[types.TimeRule]
	parts []*partition // guarded by Log.mu; only grows
}

// partition is one partition in memory.
type partition struct {
	id     types.PartitionID
	stream *stream

	// assigned is the state after everything that was given to Pebble; only the committer touches it.
	assigned state
	// ages is the window of ages; only the committer touches it. Until agesLoaded, what lies before agesFrom is missing.
	ages       ages
	agesLoaded bool
	agesFrom   types.Offset
	// saved is the window that the last trim kept, valid at the offset savedAt; nil if there was none.
	saved   *savedState
	dropped bool // set by the committer
	// emptySince is since when it has had no rows while others have, 0 for not; only the committer touches it.
	emptySince int64
	// stamp is the watermark before the request stampFor; only the committer touches them.
	stamp    int64
	stampFor *request

	// durable is the state that readers see; guarded by Log.mu.
	durable state
	// start is the oldest offset kept, startBytes and startRows what was appended before it; guarded by Log.mu.
	start                 types.Offset
	startBytes, startRows uint64
	tail                  tail // guarded by Log.mu
}

// state is where a partition stands.
type state struct {
	next      types.Offset
	watermark int64
	at        int64
	// rowsAt is the At of the last entry with rows, 0 if that is not known.
	rowsAt int64
	// rows and bytes count everything ever appended.
	rows, bytes uint64
}

// emptyState is where a partition begins.
var emptyState = state{watermark: types.NoWatermark}

// savedState is what a trim keeps of a partition, so that trimmed entries leave no gap in what the log knows.
type savedState struct {
	Start      types.Offset `json:"start"`
	StartBytes uint64       `json:"start_bytes"`
	StartRows  uint64       `json:"start_rows"`
	// The rest is as of the trim.
	Next      types.Offset `json:"next"`
	Watermark int64        `json:"watermark"`
	At        int64        `json:"at"`
	RowsAt    int64        `json:"rows_at"`
	Rows      uint64       `json:"rows"`
	Bytes     uint64       `json:"bytes"`
	Ages      [][2]int64   `json:"ages,omitempty"` // total rows, age
}

// config is the stored form of a bus.StreamConfig.
type config struct {
	Partitions  uint32        `json:"partitions"`
	Column      int32         `json:"column,omitempty"`
	Watermarked bool          `json:"watermarked,omitempty"`
	Delay       time.Duration `json:"delay_ns,omitempty"`
	Future      time.Duration `json:"max_future_ns,omitempty"`
	Idle        time.Duration `json:"idle_ns,omitempty"`
}

// recordVersion is the first byte of every stored record that is JSON.
const recordVersion = 1

// record is a version byte and JSON.
func record(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: log record: " + err.Error())
	}
	return append([]byte{recordVersion}, b...)
}

func parseRecord(b []byte, v any) error {
	if len(b) == 0 || b[0] != recordVersion {
		return types.Errorf(types.Corrupt, "record format is not known (this is %d)", recordVersion)
	}
	if err := json.Unmarshal(b[1:], v); err != nil {
		return types.Errorf(types.Corrupt, "stored record: %w", err)
	}
	return nil
}

// bounds returns what Log.Bounds answers. The caller holds Log.mu.
func (p *partition) bounds() bus.Bounds {
	return bus.Bounds{Start: p.start, End: p.durable.next, Watermark: p.durable.watermark, LastAt: p.durable.at,
		Bytes: int64(p.durable.bytes - p.startBytes), Rows: int64(p.durable.rows - p.startRows)}
}
