// Command load drives a running server over HTTP and prints what it measured.
//
//	go run ./bench/load -mode batch   # Nexmark bids, 1,000 a request
//	go run ./bench/load -mode single  # one event a request, 64 connections
//	go run ./bench/load -mode fresh   # 20,000 events/s: acknowledged -> visible in SQL
//	go run ./bench/load -mode changed # 20,000 events/s: acknowledged -> the changed row read from a view
//	go run ./bench/load -mode views   # rows of a materialized view by key, 64 connections
//	go run ./bench/load -mode endpoint  # an endpoint by key over a view of a million rows, 64 connections
//	go run ./bench/load -mode aggregate # an endpoint that sums up 100,000 rows in the store, 16 connections; -mode groups: in ten groups
//	go run ./bench/load -mode beside -rate 50000 # 2,000 endpoint calls/s in an open loop, alone and beside 50,000 events/s written
//	go run ./bench/load -mode push -rate 20 -connections 1000    # 20 changes/s: acknowledged -> received by 1,000 subscribers of a view
//	go run ./bench/load -mode pushkey -rate 200 -connections 1000 # the same, each following one of 100 rows
//	go run ./bench/load -mode pushlive -rate 200 -connections 1000 # the same through an endpoint
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leat/bench/nexmark"
)

type config struct {
	server, stream, mode string
	connections, batch   int
	rate                 int
	duration             time.Duration
}

func main() {
	var c config
	flag.StringVar(&c.server, "server", "http://127.0.0.1:4280", "URL of the server")
	flag.StringVar(&c.stream, "stream", "bid", "stream to send to")
	flag.StringVar(&c.mode, "mode", "batch", "batch, single, fresh, views, endpoint, aggregate, groups, beside, changed, push, pushkey or pushlive")
	flag.IntVar(&c.connections, "connections", 0, "connections at once (0: 4 for batch, else 64)")
	flag.IntVar(&c.batch, "batch", 1000, "events a request")
	flag.IntVar(&c.rate, "rate", 20000, "events per second in modes fresh, changed and beside")
	flag.DurationVar(&c.duration, "duration", 15*time.Second, "how long")
	flag.Parse()
	run, ok := map[string]func(context.Context, *loader) error{"batch": flood, "single": flood, "fresh": fresh, "views": views, "changed": changed, "endpoint": endpoints, "aggregate": endpoints, "groups": endpoints, "beside": beside, "push": pushes, "pushkey": pushes, "pushlive": pushes}[c.mode]
	if !ok {
		log.Fatalf("unknown mode %q", c.mode)
	}
	if c.mode == "single" {
		c.batch = 1
	}
	if c.connections == 0 {
		c.connections = map[string]int{"batch": 4, "single": 64, "fresh": 64, "views": 64, "changed": 256, "endpoint": 64, "aggregate": 16, "groups": 16, "beside": 512, "push": 1000, "pushkey": 1000, "pushlive": 1000}[c.mode]
	}
	if err := run(context.Background(), newLoader(c)); err != nil {
		log.Fatal(err)
	}
}

type loader struct {
	config
	http   *http.Client
	bodies [][]byte
}

// newLoader makes the bodies beforehand, so that the measured time is the server's.
func newLoader(c config) *loader {
	gen := nexmark.Generator{Base: time.Now().UTC().Truncate(time.Second), Rate: 10_000, Seed: 1}
	l := &loader{config: c, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: c.connections, MaxConnsPerHost: c.connections}}}
	for i := range max(64, 200_000/c.batch) {
		l.bodies = append(l.bodies, gen.Bids(uint64(i*c.batch), c.batch))
		if len(l.bodies) == 4096 {
			break
		}
	}
	return l
}

// post sends one body and returns how long the acknowledgement took.
func (l *loader) post(ctx context.Context, body []byte, query string) (time.Duration, error) {
	return l.send(ctx, body, query, nil)
}

// send is post that also decodes the answer, if one is given.
func (l *loader) send(ctx context.Context, body []byte, query string, into any) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.server+"/v1/events/"+l.stream+query, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	start := time.Now()
	resp, err := l.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	took := time.Since(start)
	switch {
	case err != nil:
		return 0, err
	case resp.StatusCode == http.StatusTooManyRequests:
		time.Sleep(100 * time.Millisecond)
		return -1, nil
	case resp.StatusCode != http.StatusOK:
		return 0, fmt.Errorf("%s: %s", resp.Status, answer)
	case into != nil:
		return took, json.Unmarshal(answer, into)
	}
	return took, nil
}

// flood sends as fast as the connections allow.
func flood(ctx context.Context, l *loader) error {
	if _, err := l.post(ctx, l.bodies[0], ""); err != nil {
		return err
	}
	var next, sent, refused atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	var failure error
	start := time.Now()
	var wg sync.WaitGroup
	for range l.connections {
		wg.Go(func() {
			var mine []time.Duration
			for time.Since(start) < l.duration {
				took, err := l.post(ctx, l.bodies[int(next.Add(1))%len(l.bodies)], "")
				if err != nil {
					mu.Lock()
					failure = err
					mu.Unlock()
					break
				}
				if took < 0 {
					refused.Add(1)
					continue
				}
				mine = append(mine, took)
				sent.Add(int64(l.batch))
			}
			mu.Lock()
			all = append(all, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	seconds := time.Since(start).Seconds()
	if failure != nil {
		return failure
	}
	fmt.Printf("%s: %.0f events/s (%d events in %.1f s, %d connections, %d events a request, %d answered 429); ack %s\n",
		l.mode, float64(sent.Load())/seconds, sent.Load(), seconds, l.connections, l.batch, refused.Load(), quantiles(all))
	return nil
}

// fresh sends at a fixed rate; a tenth of the requests also wait until SQL sees them.
func fresh(ctx context.Context, l *loader) error {
	return l.paced(func(body []byte, watched bool) (ack, seen time.Duration, err error) {
		if watched {
			seen, err = l.post(ctx, body, "?wait=visible")
			return -1, seen, err
		}
		ack, err = l.post(ctx, body, "")
		return ack, -1, err
	}, "sent -> visible in SQL")
}

// paced sends at a fixed rate, twenty events a request, and has a tenth of the requests watched. send returns how long the acknowledgement took and
// how long until the events were seen; negative is not measured.
func (l *loader) paced(send func(body []byte, watched bool) (ack, seen time.Duration, err error), what string) error {
	const perRequest = 20
	gen := nexmark.Generator{Base: time.Now().UTC(), Rate: 10_000, Seed: 2}
	var mu sync.Mutex
	var acks, visible []time.Duration
	var failure error
	var wg sync.WaitGroup
	slots := make(chan struct{}, 256)
	start, sent := time.Now(), 0
	for i := 0; time.Since(start) < l.duration; i++ {
		due := start.Add(time.Duration(float64(i*perRequest) / float64(l.rate) * float64(time.Second)))
		time.Sleep(time.Until(due))
		body := gen.Bids(uint64(i*perRequest), perRequest)
		slots <- struct{}{}
		sent += perRequest
		wg.Go(func() {
			defer func() { <-slots }()
			ack, seen, err := send(body, i%10 == 0)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				failure = err
			case ack < 0 && seen < 0:
				failure = fmt.Errorf("answered 429 at %d events/s", l.rate)
			}
			if ack >= 0 {
				acks = append(acks, ack)
			}
			if seen >= 0 {
				visible = append(visible, seen)
			}
		})
	}
	wg.Wait()
	if failure != nil {
		return failure
	}
	fmt.Printf("%s: %.0f events/s; ack %s; %s %s\n", l.mode, float64(sent)/time.Since(start).Seconds(), quantiles(acks), what, quantiles(visible))
	return nil
}

func quantiles(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	slices.Sort(d)
	at := func(q float64) time.Duration {
		return d[min(len(d)-1, int(q*float64(len(d))))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("p50 %s p90 %s p99 %s max %s", at(0.5), at(0.9), at(0.99), at(1))
}
