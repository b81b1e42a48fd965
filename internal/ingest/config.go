package ingest

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds what ingest takes. Start from DefaultConfig: a zero field is refused by Validate.
type Config struct {
	// MaxBody and MaxDecoded bound one request's body in bytes, as sent and after decompression (413).
	MaxBody, MaxDecoded int64
	// MaxInFlight bounds the bytes of all bodies being handled, as sent plus decompressed. Their
	// batches take about as much again. A request waits InFlightWait for room, then it is refused (429).
	MaxInFlight  int64
	InFlightWait time.Duration
	// MaxBacklog bounds the rows that are durable in the log and not yet in the store (429 above).
	MaxBacklog int64
	// MaxAutoStreams bounds the streams that first events make.
	MaxAutoStreams int
	// MaxLetterRaw is how many bytes of a bad record its dead letter keeps; a longer one is cut and can't be replayed.
	MaxLetterRaw int
	// MaxLetters and MaxLetterBytes bound the dead letters kept per stream. At the bound, requests that would
	// add letters are refused (429) until some are replayed, purged or expired: nothing accepted is lost.
	MaxLetters, MaxLetterBytes int64
	// LetterTTL is how long dead letters are kept.
	LetterTTL time.Duration
}

// DefaultConfig returns the defaults, which docs/ingest.md states.
func DefaultConfig() Config {
	return Config{
		MaxBody: 64 << 20, MaxDecoded: 64 << 20,
		MaxInFlight: 256 << 20, InFlightWait: time.Second,
		MaxBacklog: 10_000_000, MaxAutoStreams: 1000,
		MaxLetterRaw: 1 << 20, MaxLetters: 1_000_000, MaxLetterBytes: 1 << 30, LetterTTL: 30 * 24 * time.Hour,
	}
}

// Validate reports all faults at once.
func (c Config) Validate() error {
	var faults []error
	for _, f := range []struct {
		name       string
		value, min int64
	}{
		{"max_body", c.MaxBody, 1 << 10}, {"max_decoded", c.MaxDecoded, 1 << 10},
		{"max_in_flight", c.MaxInFlight, c.MaxBody + c.MaxDecoded}, {"in_flight_wait", int64(c.InFlightWait), 0},
		{"max_backlog", c.MaxBacklog, 1000}, {"max_auto_streams", int64(c.MaxAutoStreams), 0},
		{"max_letter_raw", int64(c.MaxLetterRaw), 1 << 10}, {"max_letters", c.MaxLetters, 1},
		{"max_letter_bytes", c.MaxLetterBytes, int64(c.MaxLetterRaw)}, {"letter_ttl", int64(c.LetterTTL), int64(time.Minute)},
	} {
		if f.value < f.min {
			faults = append(faults, fmt.Errorf("ingest.%s is %d; it must be at least %d", f.name, f.value, f.min))
		}
	}
	return errors.Join(faults...)
}
