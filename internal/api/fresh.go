package api

import (
	"net/http"
	"strconv"
	"time"

	"leat/internal/types"
)

// Freshness is what an answer must include at least.
type Freshness struct {
	// After is a position that the answer must include; the zero value waits for nothing.
	After types.Position
	// MaxStaleness is how far the answer may lag behind the log; 0 asks for nothing.
	MaxStaleness time.Duration
}

// Seen says how fresh an answer is.
type Seen struct {
	// Position is up to where the rows saw the log, or where a write landed.
	Position types.Position
	// Known is set where the answer has rows of the log: Watermark and Lag mean something then.
	Known bool
	// Watermark is the least of what was read, in µs, or types.NoWatermark; Lag is how long ago the oldest event was appended that is missing.
	Watermark int64
	Lag       time.Duration
}

// watermarkForm is RFC 3339 with microseconds.
const watermarkForm = "2006-01-02T15:04:05.000000Z"

// seen sets the headers that say how fresh the answer is.
func (c *call) seen(s Seen) {
	c.position(s.Position)
	if !s.Known {
		return
	}
	if s.Watermark != types.NoWatermark {
		c.set("Leat-Watermark", time.UnixMicro(s.Watermark).UTC().Format(watermarkForm))
	}
	c.set("Leat-Lag-Ms", lagMs(s.Lag))
}

// lagMs rounds up: 0 says that nothing is missing.
func lagMs(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}

// set is Header.Set for a name in its canonical form.
func set(h http.Header, name, value string) { h[name] = []string{value} }

// freshness reads what the answer must include.
func (c *call) freshness() (Freshness, error) {
	var f Freshness
	var err error
	if f.After, err = c.after(); err != nil {
		return f, err
	}
	if c.query.Has(stalenessParam.name) {
		text := c.query.Get(stalenessParam.name)
		if f.MaxStaleness, err = time.ParseDuration(text); err != nil || f.MaxStaleness <= 0 {
			return f, badParam(stalenessParam.name, "is %.40q; it is a time such as 500ms or 10s", text)
		}
	}
	return f, nil
}
