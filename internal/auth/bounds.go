package auth

import (
	"math"
	"time"

	"leat/internal/catalog"
	"leat/internal/types"
)

// Bounds of what limits may say.
const (
	MaxRate       = 1_000_000
	MaxConcurrent = 100_000
	maxRowsLimit  = 10_000_000
	maxBytesLimit = 1 << 40
	maxTimeout    = 5 * time.Minute
)

// LimitsSpec are limits as JSON writes them. What is left out or 0 is no limit but the server's.
type LimitsSpec struct {
	Rate       float64 `json:"rate,omitempty"`
	Burst      int     `json:"burst,omitempty"`
	Concurrent int     `json:"concurrent,omitempty"`
	MaxRows    int     `json:"max_rows,omitempty"`
	MaxBytes   int64   `json:"max_bytes,omitempty"`
	// Timeout is a duration such as 2s.
	Timeout string `json:"timeout,omitempty"`
}

// limits checks the values; the error names the one at fault.
func (s LimitsSpec) limits() (Limits, error) {
	l := Limits{Rate: s.Rate, Burst: s.Burst, Concurrent: s.Concurrent, MaxRows: s.MaxRows, MaxBytes: s.MaxBytes}
	if s.Timeout != "" {
		d, err := time.ParseDuration(s.Timeout)
		if err != nil {
			return Limits{}, badLimit("timeout", "%.40q is not a duration such as 2s", s.Timeout)
		}
		l.Timeout = d
	}
	return l, l.Check()
}

// Check refuses values that no limit can have; its error is types.InvalidArgument with the limit's name as path.
func (l Limits) Check() error {
	switch {
	case math.IsNaN(l.Rate) || l.Rate < 0 || l.Rate > MaxRate || l.Rate > 0 && l.Rate < 1.0/3600:
		return badLimit("rate", "must be between one an hour (0.0003) and %d requests a second", MaxRate)
	case l.Burst < 0 || l.Burst > MaxRate:
		return badLimit("burst", "must be 1 to %d", MaxRate)
	case l.Burst > 0 && l.Rate == 0:
		return badLimit("burst", "needs a rate")
	case l.Concurrent < 0 || l.Concurrent > MaxConcurrent:
		return badLimit("concurrent", "must be 1 to %d", MaxConcurrent)
	case l.MaxRows < 0 || l.MaxRows > maxRowsLimit:
		return badLimit("max_rows", "must be 1 to %d", maxRowsLimit)
	case l.MaxBytes < 0 || l.MaxBytes > maxBytesLimit:
		return badLimit("max_bytes", "must be 1 to %d", int64(maxBytesLimit))
	case l.Timeout < 0 || l.Timeout > maxTimeout || l.Timeout > 0 && l.Timeout < time.Millisecond:
		return badLimit("timeout", "must be 1ms to %s", maxTimeout)
	}
	return nil
}

func badLimit(name, format string, args ...any) error {
	e := types.Errorf(types.InvalidArgument, "the limit "+name+" "+format, args...)
	e.Path = name
	return e
}

// Lowest takes the lower of each limit; a zero field does not limit.
func (l Limits) Lowest(o Limits) Limits {
	return Limits{
		Rate: lower(l.Rate, o.Rate), Burst: lower(l.Burst, o.Burst), Concurrent: lower(l.Concurrent, o.Concurrent),
		MaxRows: lower(l.MaxRows, o.MaxRows), MaxBytes: lower(l.MaxBytes, o.MaxBytes), Timeout: lower(l.Timeout, o.Timeout),
	}
}

func lower[T int | int64 | float64 | time.Duration](a, b T) T {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// spec is how limits are shown.
func (l Limits) spec() *LimitsSpec {
	if l == (Limits{}) {
		return nil
	}
	s := &LimitsSpec{Rate: l.Rate, Burst: l.Burst, Concurrent: l.Concurrent, MaxRows: l.MaxRows, MaxBytes: l.MaxBytes}
	if l.Timeout > 0 {
		s.Timeout = l.Timeout.String()
	}
	return s
}

// stored turns limits into those of the catalog, whose fields are the same.
func (l Limits) stored() catalog.Limits { return catalog.Limits(l) }
