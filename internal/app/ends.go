package app

import (
	"context"

	"leat/internal/query"
	"leat/internal/types"
)

// logEnds tells query how far the log is. It implements query.Log.
type logEnds struct{ *server }

// Ends implements query.Log.
func (l logEnds) Ends(streams []types.ObjectID) []query.End {
	if len(streams) == 0 {
		return nil
	}
	var out []query.End
	for _, c := range l.bus.Position(streams...).Cursors {
		if b, err := l.bus.Bounds(c.Partition); err == nil {
			out = append(out, query.End{Cursor: types.Cursor{Partition: c.Partition, Next: b.End}, Watermark: b.Watermark})
		}
	}
	return out
}

// At implements query.Log.
func (l logEnds) At(ctx context.Context, p types.PartitionID, o types.Offset) (int64, bool) {
	entries, err := l.bus.Read(ctx, p, o, 1)
	if err != nil || len(entries) == 0 {
		return 0, false
	}
	next := entries[0].First
	for _, run := range entries[0].Runs {
		next += types.Offset(max(run.Rows, 1))
		if o < next {
			return run.At, true
		}
	}
	return 0, false
}
