package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// view is what mode views reads.
const view = "load_auctions"

// views makes a materialized view, fills it and looks rows up by key over kept connections.
func views(ctx context.Context, l *loader) error {
	for _, body := range l.bodies[:100] {
		if _, err := l.post(ctx, body, ""); err != nil {
			return err
		}
	}
	if err := l.makeView(ctx); err != nil {
		return err
	}
	if _, err := l.post(ctx, l.bodies[0], "?wait=visible"); err != nil {
		return err
	}
	keys, err := l.keys(ctx)
	if err != nil {
		return err
	}
	server, err := url.Parse(l.server)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var all []time.Duration
	var failure error
	var wg sync.WaitGroup
	start := time.Now()
	for i := range l.connections {
		wg.Go(func() {
			took, err := lookups(server.Host, keys, start.Add(l.duration), rand.New(rand.NewPCG(1, uint64(i))))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				failure = err
			}
		})
	}
	wg.Wait()
	if failure != nil {
		return failure
	}
	fmt.Printf("views: %.0f look-ups/s (%d connections, %d keys); %s\n", float64(len(all))/time.Since(start).Seconds(), l.connections, len(keys), quantiles(all))
	return nil
}

func (l *loader) makeView(ctx context.Context) error {
	return l.sql(ctx, "CREATE OR REPLACE MATERIALIZED VIEW "+view+" AS SELECT auction, count(*) AS bids, max(price) AS top, avg(price) AS mean FROM "+l.stream+" GROUP BY auction")
}

// changed sends at a fixed rate; after a tenth of the acknowledgements it reads a row that the events changed, as of their position.
func changed(ctx context.Context, l *loader) error {
	if _, err := l.post(ctx, l.bodies[0], ""); err != nil {
		return err
	}
	if err := l.makeView(ctx); err != nil {
		return err
	}
	if _, err := l.keys(ctx); err != nil {
		return err
	}
	return l.paced(func(body []byte, watched bool) (ack, seen time.Duration, err error) {
		seen = -1
		var answer struct{ Position string }
		ack, err = l.send(ctx, body, "", &answer)
		if err != nil || ack < 0 || !watched {
			return ack, seen, err
		}
		seen, err = l.row(ctx, auctionOf(body), answer.Position)
		return ack, seen, err
	}, "acknowledged -> changed row read")
}

// auctionOf is the auction of the first bid of a body.
func auctionOf(body []byte) string {
	var bid struct{ Auction int64 }
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&bid); err != nil {
		return ""
	}
	return strconv.FormatInt(bid.Auction, 10)
}

// row reads one row of the view as of a position and returns how long that took.
func (l *loader) row(ctx context.Context, key, position string) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.server+"/v1/views/"+view+"/rows/"+key, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Leat-After", position)
	start := time.Now()
	resp, err := l.http.Do(req)
	if err != nil {
		return 0, err
	}
	answer, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return time.Since(start), err
}

func (l *loader) sql(ctx context.Context, text string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.server+"/v1/sql", strings.NewReader(text))
	if err != nil {
		return err
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s %w", resp.Status, answer, err)
	}
	return nil
}

// keys reads keys of the view once it is there.
func (l *loader) keys(ctx context.Context) ([]string, error) {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.server+"/v1/views/"+view+"/rows?format=csv&_limit=50000", nil)
		if err != nil {
			return nil, err
		}
		resp, err := l.http.Do(req)
		if err != nil {
			return nil, err
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusServiceUnavailable: // still catching up
			time.Sleep(50 * time.Millisecond)
			continue
		case resp.StatusCode != http.StatusOK:
			return nil, fmt.Errorf("%s: %s", resp.Status, answer)
		}
		rows, err := csv.NewReader(bytes.NewReader(answer)).ReadAll()
		if err != nil || len(rows) < 2 {
			return nil, fmt.Errorf("no rows in the view: %w", err)
		}
		keys := make([]string, 0, len(rows))
		for _, r := range rows[1:] {
			keys = append(keys, r[0])
		}
		return keys, nil
	}
}

// lookups asks for one row after another over one connection. It speaks HTTP by hand: the client shares the machine with the server, and
// net/http's client would take more of it than the server does.
func lookups(host string, keys []string, until time.Time, r *rand.Rand) ([]time.Duration, error) {
	return calls(host, func() string { return "/v1/views/" + view + "/rows/" + keys[r.IntN(len(keys))] }, until)
}

// calls is lookups for any path.
func calls(host string, path func() string, until time.Time) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // what it still held is of no use
	in := bufio.NewReader(conn)
	var out []time.Duration
	var request []byte
	for time.Now().Before(until) {
		request = append(append(request[:0], "GET "...), path()...)
		request = append(append(append(request, " HTTP/1.1\r\nHost: "...), host...), "\r\n\r\n"...)
		start := time.Now()
		if _, err := conn.Write(request); err != nil {
			return out, err
		}
		if err := readAnswer(in); err != nil {
			return out, err
		}
		out = append(out, time.Since(start))
	}
	return out, nil
}

// readAnswer reads one answer, which must be a 200 with a length.
func readAnswer(in *bufio.Reader) error {
	length := -1
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")):
			return fmt.Errorf("answered %s", line)
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[16:]))); err != nil {
				return err
			}
		case len(line) == 2:
			_, err := in.Discard(length)
			return err
		}
	}
}
