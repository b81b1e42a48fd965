package zset

import (
	"math"

	"leat/internal/types"
)

// Canonical reports whether values of t that SQL calls equal are the same: t has no floating-point number and no interval in it.
func Canonical(t types.Type) bool {
	switch t.Kind {
	case types.Float, types.Double, types.Interval:
		return false
	case types.List:
		return Canonical(*t.Elem)
	case types.Map:
		return Canonical(*t.Key) && Canonical(*t.Elem)
	case types.Struct:
		for _, f := range t.Fields {
			if !Canonical(f.Type) {
				return false
			}
		}
	}
	return true
}

// Normalize gives values that SQL calls equal one form, for keys of groups and joins: 0.0 for -0.0, one NaN, intervals with fewer than 30
// days and fewer than 24 hours. It returns v itself where nothing changes.
func Normalize(v *Vec) *Vec {
	if Canonical(v.Type) {
		return v
	}
	switch {
	case v.F64 != nil:
		return normalizeFloats(v)
	case v.Type.Kind == types.Interval:
		return normalizeIntervals(v)
	}
	return normalizeNested(v)
}

func normalizeFloats(v *Vec) *Vec {
	for i, x := range v.F64 {
		if x == 0 && math.Signbit(x) || x != x {
			out := *v
			out.F64 = append([]float64(nil), v.F64...)
			for j := i; j < len(out.F64); j++ {
				out.F64[j] = normalFloat(out.F64[j])
			}
			return &out
		}
	}
	return v
}

func normalFloat(x float64) float64 {
	if x != x {
		return math.Float64frombits(0x7ff8 << 48)
	}
	if x == 0 {
		return 0
	}
	return x
}

func normalizeIntervals(v *Vec) *Vec {
	out := *v
	out.Off, out.Data = make([]int32, 1, v.Len+1), make([]byte, 0, 16*v.Len)
	for i := range v.Len {
		if !v.Null(i) {
			out.Data = v.Interval(i).Normal().Append(out.Data)
		}
		out.Off = append(out.Off, int32(len(out.Data)))
	}
	return &out
}

// Normal carries whole days and months of 30 days to the left. What months cannot hold stays in days, what days cannot in micros.
func (x Interval) Normal() Interval {
	m, d, u := x.normal()
	months := clampInt32(m)
	d += (m - int64(months)) * daysPerMonth
	days := clampInt32(d)
	return Interval{months, days, u + (d-int64(days))*microsPerDay}
}

func clampInt32(x int64) int32 { return int32(max(math.MinInt32, min(math.MaxInt32, x))) }

func normalizeNested(v *Vec) *Vec {
	out := *v
	out.Off, out.Data = make([]int32, 1, v.Len+1), make([]byte, 0, v.Off[v.Len]-v.Off[0])
	for i := range v.Len {
		if !v.Null(i) {
			out.Data = normalizePacked(out.Data, v.Type, v.Bytes(i))
		}
		out.Off = append(out.Off, int32(len(out.Data)))
	}
	return &out
}
