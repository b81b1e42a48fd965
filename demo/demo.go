// Package demo holds what `leat demo` replays: US domestic flights of January 2001 (US Department of Transportation; derived
// by demo/derive) and the airports (both from the npm package vega-datasets 3.2.1, public-domain data).
package demo

import (
	"bytes"
	_ "embed" // the data is part of the binary, so that the demo needs no files
	"encoding/csv"
	"io"
	"strconv"

	"github.com/klauspost/compress/zstd"
)

//go:embed flights.csv.zst
var flights []byte

// Airports is a CSV file with a header: iata, name, city, state, country, latitude, longitude.
//
//go:embed airports.csv
var Airports []byte

// Tables makes the table of airports, Endpoints publishes queries over it and the flights, Views keeps some answers up to date.
var (
	//go:embed tables.sql
	Tables string
	//go:embed endpoints.sql
	Endpoints string
	//go:embed views.sql
	Views string
)

// BadRecord does not fit the stream that the flights make; it shows what becomes of such a record.
const BadRecord = `{"date":"2001-01-01 00:00:00","delay":"about half an hour","distance":215,"origin":"ATL","destination":"SAV"}` + "\n"

// Flights reads the flights in order of departure.
type Flights struct {
	z    *zstd.Decoder
	rows *csv.Reader
}

// OpenFlights starts at the first flight.
func OpenFlights() (*Flights, error) {
	z, err := zstd.NewReader(bytes.NewReader(flights), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	f := &Flights{z: z, rows: csv.NewReader(z)}
	f.rows.ReuseRecord = true
	_, err = f.rows.Read()
	return f, err
}

// Next returns up to n flights as NDJSON and how many there are; io.EOF after the last.
func (f *Flights) Next(n int) (body []byte, count int, err error) {
	for ; count < n; count++ {
		row, err := f.rows.Read()
		if err == io.EOF && count > 0 {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		body = append(body, `{"date":`...)
		body = strconv.AppendQuote(body, row[0])
		body = append(body, `,"delay":`+row[1]+`,"distance":`+row[2]+`,"origin":`...)
		body = strconv.AppendQuote(body, row[3])
		body = append(body, `,"destination":`...)
		body = strconv.AppendQuote(body, row[4])
		body = append(body, "}\n"...)
	}
	return body, count, nil
}

// Close frees the decompressor.
func (f *Flights) Close() { f.z.Close() }
