package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// items are the rows of the view that mode endpoint reads.
const items = 1_000_000

// endpoints makes a view of a million rows and an endpoint over it, and calls that by key over kept connections. With -mode aggregate the endpoint
// sums up 100,000 rows of a stream instead, with -mode groups also in ten groups.
func endpoints(ctx context.Context, l *loader) error {
	if err := l.fillItems(ctx); err != nil {
		return err
	}
	var path func(r *rand.Rand) string
	switch l.mode {
	case "endpoint":
		if err := l.sql(ctx, "CREATE MATERIALIZED VIEW IF NOT EXISTS load_items AS SELECT id, max(name) AS name, sum(amount) AS amount, count(*) AS n, max(seen) AS seen "+
			"FROM load_item GROUP BY id; CREATE OR REPLACE ENDPOINT load_by_id (id BIGINT) AS SELECT id, name, amount, n, seen FROM load_items WHERE id = $id"); err != nil {
			return err
		}
		path = func(r *rand.Rand) string { return "load_by_id?id=" + strconv.Itoa(r.IntN(items)) }
	case "aggregate", "groups":
		groups := map[string][2]string{"groups": {"id % 10 AS bucket, ", " GROUP BY 1"}}[l.mode]
		if err := l.sql(ctx, "CREATE OR REPLACE ENDPOINT load_sum (low BIGINT) AS SELECT "+groups[0]+"count(*) AS n, sum(amount) AS amount, max(amount) AS top FROM load_item "+
			"WHERE id >= $low AND id < $low + 100000"+groups[1]); err != nil {
			return err
		}
		path = func(r *rand.Rand) string { return "load_sum?low=" + strconv.Itoa(r.IntN(items-100_000)) }
	}
	if err := l.awaitItems(ctx); err != nil {
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
		r := rand.New(rand.NewPCG(rand.Uint64(), uint64(i))) // other calls than the run before, whose answers may be kept
		wg.Go(func() {
			took, err := calls(server.Host, func() string { return "/v1/endpoints/" + path(r) }, start.Add(l.duration))
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
	fmt.Printf("%s: %.0f calls/s (%d connections); %s\n", l.mode, float64(len(all))/time.Since(start).Seconds(), l.connections, quantiles(all))
	return nil
}

// fillItems sends the million events once.
func (l *loader) fillItems(ctx context.Context) error {
	if err := l.sql(ctx, "CREATE STREAM IF NOT EXISTS load_item (id BIGINT, name VARCHAR, amount DOUBLE, seen TIMESTAMP)"); err != nil {
		return err
	}
	n, err := l.number(ctx, "SELECT count(*) FROM load_item")
	if err != nil || n >= items {
		return err
	}
	sent := *l
	sent.stream = "load_item"
	const batch = 10_000
	for from := n; from < items; from += batch {
		var b strings.Builder
		for id := from; id < from+batch; id++ {
			fmt.Fprintf(&b, `{"id":%d,"name":"item %d","amount":%d.25,"seen":"2024-01-01T00:00:00Z"}`+"\n", id, id, id%1000)
		}
		query := ""
		if from+batch >= items {
			query = "?wait=visible"
		}
		if took, err := sent.post(ctx, []byte(b.String()), query); err != nil {
			return err
		} else if took < 0 {
			from -= batch // refused: again
		}
	}
	return nil
}

// awaitItems waits until the view, if there is one, has all rows.
func (l *loader) awaitItems(ctx context.Context) error {
	for l.mode == "endpoint" {
		n, err := l.number(ctx, "SELECT count(*) FROM load_items")
		if n == items {
			return nil
		}
		if err != nil && !strings.Contains(err.Error(), "503") {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

// number is the answer to a question for one number.
func (l *loader) number(ctx context.Context, sql string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.server+"/v1/sql?format=csv", strings.NewReader(sql))
	if err != nil {
		return 0, err
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s %w", resp.Status, answer, err)
	}
	lines := strings.Fields(string(answer))
	return strconv.Atoi(lines[len(lines)-1])
}
