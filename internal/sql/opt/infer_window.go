package opt

import "leat/internal/sql/plan"

// millisecond in µs is how far window_time is before window_end.
const millisecond = 1000

// windowTime reads e as the window_time of a window, which is like the start of a window of a millisecond. Only the binder's own has no place
// in the text: what users compute carries no watermark. The time returned is not Timed where e is something else.
func (k *fact) windowTime(e *plan.Expr) (plan.TimeColumn, string) {
	none := plan.TimeColumn{Kind: plan.WindowStart}
	if e.Kind == plan.Column || e.Place >= 0 {
		return none, ""
	}
	column, offset, ok := timePlus(e)
	if !ok || offset != -millisecond {
		return none, ""
	}
	for i, t := range k.Times {
		if t.Column == column.Index && t.Kind == plan.WindowEnd {
			t.Kind, t.Size = plan.WindowStart, millisecond
			return t, k.origins[i]
		}
	}
	return none, ""
}

// behind returns how long after the end of a window of n all windows have ended whose time, their end less size, is in it. Windows that end
// together with n's don't keep it waiting.
func (f *Facts) behind(n *plan.Window, size int64, origin string) int64 {
	inner := f.windows[origin]
	if inner == nil || n.Kind == plan.Session {
		return size
	}
	step, outer := grid(inner), grid(n)
	if outer%step != 0 {
		return size
	}
	// The last time before an end of n, on the grid of the inner windows' times.
	ahead := (n.Origin + n.Size - (inner.Origin + inner.Size - size) - 1) % step
	if ahead < 0 {
		ahead += step
	}
	return max(0, size-(ahead+1))
}

// grid is how far the ends of a window's like are apart: all are multiples of it away from Origin + Size.
func grid(n *plan.Window) int64 {
	if n.Kind == plan.Tumble {
		return n.Size
	}
	return n.Slide
}
