package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"leat/bench/nexmark"
)

// besideReads is how many endpoint calls a second mode beside makes, whatever their answers take.
const besideReads = 2000

// beside calls an endpoint by key over a view of a million rows in an open loop: first alone, then while -rate events a second are written to the
// stream that another view reads. Times count from when a call was due, so that one that waits for its turn is not forgotten.
func beside(ctx context.Context, l *loader) error {
	l.mode = "endpoint" // its view and endpoint
	if err := l.fillItems(ctx); err != nil {
		return err
	}
	if err := l.sql(ctx, "CREATE MATERIALIZED VIEW IF NOT EXISTS load_items AS SELECT id, max(name) AS name, sum(amount) AS amount, count(*) AS n, max(seen) AS seen "+
		"FROM load_item GROUP BY id; CREATE OR REPLACE ENDPOINT load_by_id (id BIGINT) AS SELECT id, name, amount, n, seen FROM load_items WHERE id = $id"); err != nil {
		return err
	}
	if err := l.awaitItems(ctx); err != nil {
		return err
	}
	if _, err := l.post(ctx, l.bodies[0], ""); err != nil {
		return err
	}
	if err := l.makeView(ctx); err != nil {
		return err
	}
	if _, err := l.keys(ctx); err != nil {
		return err
	}
	idle, err := l.openReads(ctx)
	if err != nil {
		return err
	}
	writing, stop := context.WithCancel(ctx)
	var wrote sync.WaitGroup
	sent, failed := 0, error(nil)
	wrote.Go(func() { sent, failed = l.pacedWrites(writing) })
	start := time.Now()
	busy, err := l.openReads(ctx)
	took := time.Since(start)
	stop()
	wrote.Wait()
	if err != nil || failed != nil {
		return errors.Join(err, failed)
	}
	fmt.Printf("beside: %d reads/s idle: %s\n", besideReads, quantiles(idle))
	fmt.Printf("beside: %d reads/s with %.0f events/s written: %s; p99 %.1fx\n", besideReads, float64(sent)/took.Seconds(), quantiles(busy),
		float64(busy[int(0.99*float64(len(busy)))])/float64(idle[int(0.99*float64(len(idle)))]))
	return nil
}

// openReads calls the endpoint at fixed times for the duration.
func (l *loader) openReads(ctx context.Context) ([]time.Duration, error) {
	n := int(l.duration.Seconds() * besideReads)
	took := make([]time.Duration, n)
	errs := make([]error, n)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512, MaxConnsPerHost: 512}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	start := time.Now()
	for i := range n {
		due := start.Add(time.Duration(i) * time.Second / besideReads)
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		wg.Go(func() {
			errs[i] = get(ctx, client, l.server+"/v1/endpoints/load_by_id?id="+strconv.Itoa(rand.IntN(items)))
			took[i] = time.Since(due)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return took, nil
}

func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var b [4 << 10]byte
	n, _ := resp.Body.Read(b[:])
	for rest := n; rest > 0 && n < len(b); n += rest {
		rest, _ = resp.Body.Read(b[n:])
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, b[:n])
	}
	return nil
}

// pacedWrites sends -rate events a second in requests of 1,000 until ctx ends.
func (l *loader) pacedWrites(ctx context.Context) (sent int, err error) {
	const perRequest = 1000
	gen := nexmark.Generator{Base: time.Now().UTC(), Rate: 10_000, Seed: 3}
	start := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		time.Sleep(time.Until(start.Add(time.Duration(float64(i*perRequest) / float64(l.rate) * float64(time.Second)))))
		if took, err := l.post(context.WithoutCancel(ctx), gen.Bids(uint64(i*perRequest), perRequest), ""); err != nil {
			return sent, err
		} else if took < 0 {
			return sent, fmt.Errorf("answered 429 at %d events/s", l.rate)
		}
		sent += perRequest
	}
	return sent, nil
}
