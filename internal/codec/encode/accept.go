package encode

import (
	"strconv"
	"strings"

	"leat/internal/types"
)

// Format names a form of results.
type Format struct {
	// Name is json, ndjson, csv, tsv, parquet or arrow. Extension is that of a file which holds one.
	Name, ContentType, Extension string
}

// formatNames lists the formats for messages.
const formatNames = "json, ndjson, csv, tsv, parquet and arrow"

var formats = []Format{
	{"json", "application/json", "json"}, {"ndjson", "application/x-ndjson", "ndjson"}, {"csv", "text/csv; charset=utf-8", "csv"},
	{"tsv", "text/tab-separated-values; charset=utf-8", "tsv"}, {"parquet", "application/vnd.apache.parquet", "parquet"},
	{"arrow", "application/vnd.apache.arrow.stream", "arrows"},
}

// aliases are further names of formats, in lower case: those of ClickHouse, and of files.
var aliases = map[string]string{
	"jsoneachrow": "ndjson", "jsonlines": "ndjson", "jsonl": "ndjson", "csvwithnames": "csv", "tsvwithnames": "tsv",
	"tabseparatedwithnames": "tsv", "arrowstream": "arrow",
}

// mediaTypes are what Accept may name of each format; the first one of a format answers a wildcard.
var mediaTypes = []struct{ media, format string }{
	{"application/json", "json"}, {"application/x-ndjson", "ndjson"}, {"application/ndjson", "ndjson"}, {"application/jsonl", "ndjson"}, {"application/x-jsonlines", "ndjson"},
	{"text/csv", "csv"}, {"text/tab-separated-values", "tsv"}, {"application/vnd.apache.parquet", "parquet"}, {"application/vnd.apache.arrow.stream", "arrow"},
}

// Negotiate picks a format by name, or by an Accept header when name is empty; json when both are.
// An unknown name is types.InvalidArgument, an Accept that nothing fits types.NotAcceptable.
func Negotiate(name, accept string) (Format, error) {
	if name == "" && (accept == "" || accept == "*/*" || strings.TrimSpace(accept) == "") {
		return formats[0], nil
	}
	if name != "" {
		if f, ok := byName(strings.ToLower(name)); ok {
			return f, nil
		}
		e := types.Errorf(types.InvalidArgument, "there is no format %.40q", name).WithHint("the formats are " + formatNames)
		e.Path = "format"
		return Format{}, e
	}
	if f, ok := byName(best(accept)); ok {
		return f, nil
	}
	return Format{}, types.Errorf(types.NotAcceptable, "no format fits Accept: %.100s", accept).
		WithHint("leave Accept out or set format= to one of " + formatNames)
}

func byName(name string) (Format, bool) {
	if alias, ok := aliases[name]; ok {
		name = alias
	}
	for _, f := range formats {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}

// best is the format of the media type with the greatest weight. A type's weight is that of the most exact range that names it (RFC 9110,
// 12.5.1); of equal ones the range that stands first wins, then the order of mediaTypes.
func best(accept string) string {
	ranges := weights(accept)
	format, bestQ, bestAt := "", 0.0, 0
	for _, m := range mediaTypes {
		at, exact := -1, 0
		for i, r := range ranges {
			if e := matches(r.name, m.media); e > exact {
				at, exact = i, e
			}
		}
		if at < 0 || ranges[at].q == 0 {
			continue
		}
		if q := ranges[at].q; q > bestQ || q == bestQ && at < bestAt {
			format, bestQ, bestAt = m.format, q, at
		}
	}
	return format
}

// matches tells how exactly a media range names a media type: 3 by its name, 2 by type/*, 1 by */*, 0 not at all.
func matches(pattern, media string) int {
	kind, _, _ := strings.Cut(media, "/")
	switch pattern {
	case media:
		return 3
	case kind + "/*":
		return 2
	case "*/*":
		return 1
	}
	return 0
}

// weighted is an element of Accept or Accept-Encoding in lower case, with its weight from 0 to 1.
type weighted struct {
	name string
	q    float64
}

// maxWeighted bounds the elements of a header that are looked at; what follows is ignored.
const maxWeighted = 32

// weights splits a header into elements; one whose weight can't be read counts as refused.
func weights(header string) []weighted {
	var out []weighted
	for len(header) > 0 && len(out) < maxWeighted {
		var part string
		part, header, _ = strings.Cut(header, ",")
		name, params, _ := strings.Cut(part, ";")
		w := weighted{strings.ToLower(strings.TrimSpace(name)), 1}
		for params != "" {
			var p string
			p, params, _ = strings.Cut(params, ";")
			if v, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(p)), "q="); ok {
				f, err := strconv.ParseFloat(v, 64)
				if err != nil || !(f >= 0 && f <= 1) {
					f = 0
				}
				w.q = f
			}
		}
		if w.name != "" {
			out = append(out, w)
		}
	}
	return out
}
