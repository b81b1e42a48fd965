package encode

import (
	"strconv"
	"strings"
)

// quality splits one element of an Accept header into its media type and weight (RFC 9110, 12.5.1).
func quality(part string) (media string, q float64) {
	fields := strings.Split(part, ";")
	q = 1
	for _, p := range fields[1:] {
		if v, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(p)), "q="); ok {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil || f < 0 || f > 1 {
				return "", 0
			}
			q = f
		}
	}
	return strings.ToLower(strings.TrimSpace(fields[0])), q
}
