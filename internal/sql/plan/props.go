package plan

// Props are facts about a node's output that sql/opt infers bottom-up; positions are output columns.
type Props struct {
	// AppendOnly: no row is ever retracted.
	AppendOnly bool
	// Times are the columns that carry a watermark.
	Times []TimeColumn
	// Key are columns whose values differ between any two rows (each of weight 1); nil if none is known. An empty, non-nil key is one row.
	Key []int
}

// TimeKind says what a time column is to the watermark.
type TimeKind uint8

const (
	// EventTime is an event time: rows below the watermark may still come, but they are late.
	EventTime TimeKind = iota
	// WindowEnd is the end of a window: once grouped, no row at or below the watermark is ever changed.
	WindowEnd
	// WindowStart is the start of a window of size Size.
	WindowStart
)

// TimeColumn is a column that carries the combined watermark W of the scans below.
type TimeColumn struct {
	Column int
	Kind   TimeKind
	// Size is, of a WindowStart, the distance to its window's end in µs, fixed for all rows; 0 where it isn't (Cumulate, Session).
	Size int64
	// Slack µs are taken off the watermark: a row is final once its time (of a WindowStart: plus Size) <= W - Slack.
	Slack int64
	// Final is set behind the grouping, join or ranking by it: such rows are never late.
	Final bool
	// Settled promises that a step only changes rows (but for late ones, which come if it isn't Final) whose time is beyond what was final
	// before that step: nothing final is retracted, so state keyed by it can be freed.
	Settled bool
}

// Delay is how far, in µs, the watermark must be beyond a row's time to make it final: no change comes for a time <= W - Delay.
func (t *TimeColumn) Delay() int64 {
	switch t.Kind {
	case WindowEnd:
		return t.Slack
	case WindowStart:
		return t.Slack + t.Size
	default:
		return t.Slack + 1 // a row at the watermark is in time
	}
}

// Timed reports whether the column can stand for its row's time: a WindowStart can't where windows differ in size.
func (t *TimeColumn) Timed() bool { return t != nil && (t.Kind != WindowStart || t.Size > 0) }

// TimeOf returns the time column at that position, or nil.
func (p *Props) TimeOf(column int) *TimeColumn {
	for i := range p.Times {
		if p.Times[i].Column == column {
			return &p.Times[i]
		}
	}
	return nil
}
