// Command pg measures look-ups by key over the PostgreSQL protocol: prepared once, then one in flight on each connection. Every answer is
// checked. It fills a view of that many keys first, if the server has none.
//
//	go run ./bench/pg -http http://127.0.0.1:4280 -pg 127.0.0.1:4281 -keys 1000000 -connections 64 -for 10s
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

type options struct {
	http, pg    string
	keys        int
	connections int
	length      time.Duration
	describe    bool
}

func main() {
	var o options
	flag.StringVar(&o.http, "http", "http://127.0.0.1:4280", "the HTTP API, for filling the view")
	flag.StringVar(&o.pg, "pg", "127.0.0.1:4281", "the PostgreSQL protocol")
	flag.IntVar(&o.keys, "keys", 1_000_000, "keys of the view")
	flag.IntVar(&o.connections, "connections", 64, "connections at once")
	flag.DurationVar(&o.length, "for", 10*time.Second, "how long to measure, after a second that does not count")
	flag.BoolVar(&o.describe, "describe", false, "send Describe with each query, as pgx does")
	flag.Parse()
	if err := run(o); err != nil {
		log.Fatal(err)
	}
}

func run(o options) error {
	if err := fill(o); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), o.length+time.Second)
	defer stop()
	from := time.Now().Add(time.Second)
	var wg sync.WaitGroup
	took := make([][]time.Duration, o.connections)
	errs := make([]error, o.connections)
	for i := range o.connections {
		wg.Go(func() { took[i], errs[i] = client(ctx, o, from, uint64(i)) })
	}
	wg.Wait()
	var all []time.Duration
	for i := range took {
		if errs[i] != nil {
			return errs[i]
		}
		all = append(all, took[i]...)
	}
	slices.Sort(all)
	at := func(q float64) time.Duration {
		return all[min(int(q*float64(len(all))), len(all)-1)].Round(time.Microsecond)
	}
	fmt.Printf("%d connections, %d answers, all as expected: %.0f/s, p50 %s, p99 %s, p99.9 %s, max %s\n",
		o.connections, len(all), float64(len(all))/o.length.Seconds(), at(.5), at(.99), at(.999), all[len(all)-1])
	return nil
}

// fill makes the view, whose key k has v = 7 k.
func fill(o options) error {
	if sql(o, "SELECT count(*) AS n FROM bench_pg") == fmt.Sprintf(`{"n":%d}`, o.keys) {
		return nil
	}
	began := time.Now()
	sql(o, "CREATE STREAM bench_pg_events (k BIGINT, v BIGINT)")
	sql(o, "CREATE MATERIALIZED VIEW bench_pg AS SELECT k, sum(v)::BIGINT AS v, count(*) AS n FROM bench_pg_events GROUP BY k")
	for from := 0; from < o.keys; from += 50_000 {
		var b bytes.Buffer
		for k := from; k < min(from+50_000, o.keys); k++ {
			fmt.Fprintf(&b, "{\"k\":%d,\"v\":%d}\n", k, 7*k)
		}
		resp, err := http.Post(o.http+"/v1/events/bench_pg_events?wait=visible", "application/x-ndjson", &b)
		if err != nil {
			return err
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("events: %s %s", resp.Status, body)
		}
	}
	want := fmt.Sprintf(`{"n":%d}`, o.keys)
	for deadline := time.Now().Add(time.Minute); sql(o, "SELECT count(*) AS n FROM bench_pg") != want; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the view does not have %d keys", o.keys)
		}
	}
	fmt.Fprintf(os.Stderr, "filled in %s\n", time.Since(began).Round(time.Millisecond))
	return nil
}

func sql(o options, text string) string {
	resp, err := http.Post(o.http+"/v1/sql?format=ndjson", "application/sql", strings.NewReader(text))
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(body))
}

// client asks one key after the other until ctx ends.
func client(ctx context.Context, o options, from time.Time, seed uint64) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", o.pg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	f := pgproto3.NewFrontend(conn, conn)
	f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "leat", "database": "leat"}})
	f.Send(&pgproto3.Parse{Name: "q", Query: "SELECT k, v, n FROM bench_pg WHERE k = $1"})
	f.Send(&pgproto3.Sync{})
	if err := f.Flush(); err != nil {
		return nil, err
	}
	for ready := 0; ready < 2; {
		m, err := f.Receive()
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case *pgproto3.ReadyForQuery:
			ready++
		case *pgproto3.ErrorResponse:
			return nil, fmt.Errorf("%s: %s", m.Code, m.Message)
		}
	}
	request, at, err := o.request()
	if err != nil {
		return nil, err
	}
	draw := rand.New(rand.NewPCG(seed, 1))
	var took []time.Duration
	in := make([]byte, 4096)
	for ctx.Err() == nil {
		k := draw.Uint64N(uint64(o.keys))
		binary.BigEndian.PutUint64(request[at:], k)
		began := time.Now()
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		n := 0
		for !complete(in[:n]) {
			got, err := conn.Read(in[n:])
			if err != nil {
				return nil, err
			}
			n += got
		}
		if began.After(from) {
			took = append(took, time.Since(began))
		}
		if err := check(in[:n], k); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// request is one look-up with a binary key, which stands at at.
func (o options) request() (b []byte, at int, err error) {
	mark := uint64(0xfeedfacecafebeef)
	key := binary.BigEndian.AppendUint64(nil, mark)
	bind := &pgproto3.Bind{PreparedStatement: "q", ParameterFormatCodes: []int16{1}, Parameters: [][]byte{key}, ResultFormatCodes: []int16{1}}
	messages := []pgproto3.FrontendMessage{bind, &pgproto3.Execute{}, &pgproto3.Sync{}}
	if o.describe {
		messages = []pgproto3.FrontendMessage{bind, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{}}
	}
	for _, m := range messages {
		if b, err = m.Encode(b); err != nil {
			return nil, 0, err
		}
	}
	return b, bytes.Index(b, key), nil
}

// complete reports whether an answer ends with ReadyForQuery.
func complete(b []byte) bool {
	return len(b) >= 6 && b[len(b)-6] == 'Z' && b[len(b)-1] == 'I'
}

// check finds the one row that the key has.
func check(b []byte, k uint64) error {
	rows := 0
	for len(b) >= 5 {
		n := int(binary.BigEndian.Uint32(b[1:]))
		if b[0] == 'E' {
			return fmt.Errorf("an error: %q", b)
		}
		if b[0] == 'D' {
			rows++
			f := b[7:]
			if got, v, count := binary.BigEndian.Uint64(f[4:]), binary.BigEndian.Uint64(f[16:]), binary.BigEndian.Uint64(f[28:]); got != k || v != 7*k || count != 1 {
				return fmt.Errorf("key %d: %d, %d, %d", k, got, v, count)
			}
		}
		b = b[n+1:]
	}
	if rows != 1 {
		return fmt.Errorf("key %d has %d rows", k, rows)
	}
	return nil
}
