package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Of mode push: one row changes at a time, of so many in the view.
const (
	pushKeys   = 100
	pushStream = "load_pushed"
	pushView   = "load_newest"
	// pushEndpoint looks up one of its rows.
	pushEndpoint = "load_one"
)

// pushed is a row of the view.
type pushed struct {
	K int   `json:"k"`
	N int64 `json:"n"`
}

// follower is one subscriber.
type follower struct {
	conn net.Conn
	body *bufio.Reader
	// state are the rows as they were told; mu guards them against the look at the end.
	mu    sync.Mutex
	state [pushKeys]int64
	took  []time.Duration
}

// pushes changes -rate rows a second while -connections subscribers follow the view; mode pushkey has each follow one row, and
// pushlive the result of an endpoint that looks it up. It measures from the
// acknowledgement of a change until each of them has it, and ends with comparing what each was told with the view.
func pushes(ctx context.Context, l *loader) error {
	l.stream = pushStream
	if err := l.script(ctx, "CREATE STREAM IF NOT EXISTS "+pushStream+" (k BIGINT, n BIGINT); CREATE MATERIALIZED VIEW IF NOT EXISTS "+pushView+
		" AS SELECT k, max(n) AS n FROM "+pushStream+" GROUP BY k; CREATE ENDPOINT IF NOT EXISTS "+pushEndpoint+" (k BIGINT) AS SELECT k, n FROM "+pushView+" WHERE k = $k"); err != nil {
		return err
	}
	base := time.Now().UnixMicro() // greater than those of a run before
	for k := range pushKeys {
		if _, err := l.post(ctx, fmt.Appendf(nil, `{"k":%d,"n":%d}`, k, base), ""); err != nil {
			return err
		}
	}
	total := int(l.duration.Seconds() * float64(l.rate))
	acks := make([]atomic.Int64, total+1) // when change i was acknowledged, in ns
	server, err := url.Parse(l.server)
	if err != nil {
		return err
	}
	all := make([]*follower, l.connections)
	var reading sync.WaitGroup
	received := make([]atomic.Int32, total+1)
	for i := range all {
		path := "/v1/views/" + pushView + "/changes"
		switch l.mode {
		case "pushkey":
			path += fmt.Sprintf("?k=%d", i%pushKeys)
		case "pushlive":
			path = fmt.Sprintf("/v1/endpoints/"+pushEndpoint+"/live?k=%d", i%pushKeys)
		}
		if all[i], err = follow(server.Host, path); err != nil {
			return fmt.Errorf("subscriber %d: %w", i, err)
		}
		reading.Go(func() { all[i].read(base, acks, received) })
	}
	defer func() {
		for _, f := range all {
			_ = f.conn.Close() // read has ended, or ends with it
		}
		reading.Wait()
	}()
	start := time.Now()
	var last struct{ Position string }
	for i := 1; i <= total; i++ {
		time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / time.Duration(l.rate))))
		if _, err := l.send(ctx, fmt.Appendf(nil, `{"k":%d,"n":%d}`, i%pushKeys, base+int64(i)), "", &last); err != nil {
			return err
		}
		acks[i].Store(time.Now().UnixNano())
	}
	return l.compare(ctx, all, last.Position, acks, received)
}

// script runs SQL.
func (l *loader) script(ctx context.Context, sql string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.server+"/v1/sql", bytes.NewReader([]byte(sql)))
	if err != nil {
		return err
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return nil
}

// follow subscribes and reads the snapshot's beginning.
func follow(host, path string) (*follower, error) {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	f := &follower{conn: conn}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 4096), nil) //nolint:bodyclose // closed with the connection
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("%s: %s", resp.Status, answer)
	}
	f.body = bufio.NewReaderSize(resp.Body, 1024) // ends with the connection
	return f, nil
}

// read takes events until the connection is closed.
func (f *follower) read(base int64, acks []atomic.Int64, received []atomic.Int32) {
	event := ""
	for {
		line, err := f.body.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			line = slices.Clone(line) // of the snapshot
			var rest []byte
			rest, err = f.body.ReadBytes('\n')
			line = append(line, rest...)
		}
		if err != nil {
			return
		}
		now := time.Now().UnixNano()
		if name, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			if name = bytes.TrimSpace(name); event != string(name) {
				event = string(name)
			}
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		switch event {
		case "snapshot":
			var page struct{ Rows []pushed }
			if err := json.Unmarshal(data, &page); err != nil {
				log.Fatalf("%v: %s", err, data)
			}
			f.mu.Lock()
			for _, r := range page.Rows {
				f.state[r.K] = r.N
			}
			f.mu.Unlock()
		case "upsert":
			r := pushed{K: int(member(data, `"k":`)), N: member(data, `"n":`)}
			i := r.N - base
			f.mu.Lock()
			f.state[r.K] = r.N
			if acked := acks[i].Load(); acked > 0 {
				f.took = append(f.took, time.Duration(max(0, now-acked)))
			} else {
				f.took = append(f.took, 0) // before its sender knew
			}
			f.mu.Unlock()
			received[i].Add(1)
		case "reset", "error":
			log.Fatalf("%s: %s", event, data)
		}
	}
}

// member reads a number of a JSON object: with encoding/json the clients would take more of the machine than the server.
func member(object []byte, name string) (n int64) {
	_, rest, ok := bytes.Cut(object, []byte(name))
	if !ok {
		log.Fatalf("no %s in %s", name, object)
	}
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + int64(c-'0')
	}
	return n
}

// compare waits until all have been told the last changes, and tells what was measured.
func (l *loader) compare(ctx context.Context, all []*follower, position string, acks []atomic.Int64, received []atomic.Int32) error {
	rows, err := l.newest(ctx, position)
	if err != nil {
		return err
	}
	var took []time.Duration
	wrong := 0
	deadline := time.Now().Add(10 * time.Second)
	for i, f := range all {
		for !f.has(rows, i, l.mode != "push") {
			if time.Now().After(deadline) {
				wrong++
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		f.mu.Lock()
		took = append(took, f.took...)
		f.mu.Unlock()
	}
	want, got := int64(0), int64(0)
	for i := 1; i < len(acks); i++ {
		n := int64(len(all))
		if l.mode != "push" {
			n = int64(len(all)/pushKeys) + int64(min(1, max(0, len(all)%pushKeys-i%pushKeys)))
		}
		want += n
		got += int64(received[i].Load())
	}
	slices.Sort(took)
	at := func(q float64) time.Duration {
		if len(took) == 0 {
			return 0
		}
		return took[min(len(took)-1, int(q*float64(len(took))))].Round(100 * time.Microsecond)
	}
	fmt.Printf("%d subscribers, %d changes at %d/s: %d of %d events received, %d states differ from the view\n", len(all), len(acks)-1, l.rate, got, want, wrong)
	fmt.Printf("acknowledged -> received: p50 %s, p90 %s, p99 %s, p99.9 %s, max %s\n", at(0.5), at(0.9), at(0.99), at(0.999), at(1))
	if wrong > 0 {
		return fmt.Errorf("%d subscribers were told something else than the view has", wrong)
	}
	return nil
}

// newest reads the view with all that was written.
func (l *loader) newest(ctx context.Context, position string) ([]pushed, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.server+"/v1/views/"+pushView+"/rows?format=json", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Leat-After", position)
	resp, err := l.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct{ Data []pushed }
	return answer.Data, json.NewDecoder(resp.Body).Decode(&answer)
}

// has reports whether the follower was told these rows, or its own one of them.
func (f *follower) has(rows []pushed, place int, one bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range rows {
		if (!one || r.K == place%pushKeys) && f.state[r.K] != r.N {
			return false
		}
	}
	return len(rows) == pushKeys
}
