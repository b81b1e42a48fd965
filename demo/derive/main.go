// Command derive makes demo/flights.csv.zst from flights-3m.parquet (US Department of Transportation, flights of 2001,
// npm package vega-datasets 3.2.1): the flights of January in order of departure.
//
//	go run ./demo/derive flights-3m.parquet demo/flights.csv.zst
package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"
)

type flight struct {
	date                time.Time
	delay, distance     int64
	origin, destination string
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: derive flights-3m.parquet flights.csv.zst")
	}
	if err := derive(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func derive(from, to string) error {
	flights, err := read(from, time.Date(2001, 2, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		return err
	}
	slices.SortFunc(flights, func(a, b flight) int {
		return cmp.Or(a.date.Compare(b.date), cmp.Compare(a.origin, b.origin), cmp.Compare(a.destination, b.destination),
			cmp.Compare(a.delay, b.delay), cmp.Compare(a.distance, b.distance))
	})
	return write(to, flights)
}

// read returns the flights that departed before end.
func read(path string, end time.Time) ([]flight, error) {
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	pq, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	table, err := pq.ReadTable(context.Background())
	if err != nil {
		return nil, err
	}
	var out []flight
	rows := array.NewTableReader(table, 1<<16)
	for rows.Next() {
		r := rows.RecordBatch()
		column := func(name string) arrow.Array { return r.Column(r.Schema().FieldIndices(name)[0]) }
		date := column("date").(*array.Timestamp)
		unit := date.DataType().(*arrow.TimestampType).Unit
		delay, distance := column("delay").(*array.Int64), column("distance").(*array.Int64)
		origin, destination := column("origin").(array.StringLike), column("destination").(array.StringLike)
		for i := range int(r.NumRows()) {
			if t := date.Value(i).ToTime(unit); t.Before(end) {
				out = append(out, flight{t, delay.Value(i), distance.Value(i), origin.Value(i), destination.Value(i)})
			}
		}
	}
	return out, rows.Err()
}

func write(path string, flights []flight) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(8<<20))
	if err != nil {
		return err
	}
	w := bufio.NewWriter(z)
	fmt.Fprintln(w, "date,delay,distance,origin,destination")
	for _, r := range flights {
		fmt.Fprintf(w, "%s,%d,%d,%s,%s\n", r.date.UTC().Format("2006-01-02 15:04:05"), r.delay, r.distance, r.origin, r.destination)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return f.Close()
}
