// Package codec turns bodies of events into columns: JSON (one record after another, on lines or not, or in
// an array) and CSV with a header, compressed or not; and Parquet files into rows. A record that does not fit
// is a Reject and never spoils its neighbours.
package codec

import (
	"bytes"
	"strings"

	"leat/internal/codec/jsonscan"
)

// Format is how the records of a body are written. The zero value is NDJSON.
type Format uint8

// The formats.
const (
	// NDJSON is JSON objects one after another, usually one a line; white space between them is free.
	NDJSON Format = iota
	// JSONArray is one JSON array of objects.
	JSONArray
	// CSV is RFC 4180 with a header line.
	CSV
	// Parquet is a file, which only the Parquet functions read.
	Parquet
)

var formatNames = [...]string{NDJSON: "NDJSON", JSONArray: "JSON array", CSV: "CSV", Parquet: "Parquet"}

// String names the format.
func (f Format) String() string { return formatNames[f] }

var bom = []byte("\xEF\xBB\xBF")

// Sniff tells the format of a body from its media type and its first bytes (some hundred are plenty). A type that names CSV or
// JSON is believed, but whether JSON is an array is always seen from the bytes. Of any other type, such as
// curl's application/x-www-form-urlencoded, the bytes decide alone: JSON unless the first line looks like a CSV header.
func Sniff(contentType string, head []byte) Format {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if media == "text/csv" || media == "application/csv" {
		return CSV
	}
	if bytes.HasPrefix(head, []byte("PAR1")) {
		return Parquet
	}
	head = bytes.TrimPrefix(head, bom)
	i := jsonscan.Space(head, 0)
	switch {
	case i < len(head) && head[i] == '[':
		return JSONArray
	case i < len(head) && head[i] == '{' || strings.Contains(media, "json"):
		return NDJSON
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	if bytes.IndexByte(line, ',') >= 0 {
		return CSV
	}
	return NDJSON
}
