package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"leat/demo"
	"leat/internal/types"
)

// The demo sends a part of the flights at once, so that there is something to query, and the rest as a live stream.
const (
	demoBurst     = 150_000
	demoPerSecond = 500
	demoChunk     = 5_000
)

// Replay plays the demo's flights to the server at url until they end or ctx does; data is the name of its folder.
func Replay(ctx context.Context, env Env, url, data string) error {
	c := &client{env: env, global: &global{server: url}}
	return (&replay{client: c, data: data}).run(ctx)
}

// replay is a client that plays the flights to a server.
type replay struct {
	*client
	data string
	sent int
}

func (r *replay) run(ctx context.Context) error {
	flights, err := demo.OpenFlights()
	if err != nil {
		return err
	}
	defer flights.Close()
	if err := r.prepare(ctx, flights); err != nil {
		return err
	}
	r.tell()
	tick := time.NewTicker(time.Second / 10)
	defer tick.Stop()
	for {
		body, n, err := flights.Next(demoPerSecond / 10)
		if errors.Is(err, io.EOF) {
			fmt.Fprintln(r.env.Stderr, "All flights of the month were replayed. The server goes on until Ctrl-C.")
			return nil
		}
		if err == nil {
			err = r.post(ctx, "/v1/events/flights", body)
		}
		if err != nil {
			return err
		}
		r.sent += n
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// prepare makes the objects and brings the flights to where an earlier run stopped, at least to the end of the burst.
func (r *replay) prepare(ctx context.Context, flights *demo.Flights) error {
	if err := r.sql(ctx, demo.Tables, new(any)); err != nil {
		return err
	}
	if err := r.post(ctx, "/v1/events/airports", demo.Airports); err != nil {
		return err
	}
	before, err := r.flightsThere(ctx)
	if err != nil {
		return err
	}
	if r.sent, err = skip(flights, before); err != nil {
		return err
	}
	for r.sent < demoBurst {
		body, n, err := flights.Next(demoChunk)
		if err != nil {
			return err
		}
		if err := r.post(ctx, "/v1/events/flights", body); err != nil {
			return err
		}
		r.sent += n
	}
	if before == 0 {
		if err := r.post(ctx, "/v1/events/flights?wait=visible", []byte(demo.BadRecord)); err != nil {
			return err
		}
	}
	if err := r.sql(ctx, demo.Endpoints, new(any)); err != nil {
		return err
	}
	return r.sql(ctx, demo.Views, new(any))
}

// flightsThere counts the flights of an earlier run; without the stream there are none.
func (r *replay) flightsThere(ctx context.Context) (int, error) {
	var answer struct{ Data []struct{ N int } }
	err := r.sql(ctx, "SELECT count(*) AS n FROM flights", &answer)
	if types.HasCode(err, types.UnknownRelation) {
		return 0, nil
	}
	if err != nil || len(answer.Data) == 0 {
		return 0, err
	}
	return answer.Data[0].N, nil
}

func skip(flights *demo.Flights, n int) (int, error) {
	done := 0
	for done < n {
		_, k, err := flights.Next(min(n-done, demoChunk))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		done += k
	}
	return done, nil
}

func (r *replay) tell() {
	elsewhere := ""
	if r.global.server != defaultServer {
		elsewhere = "  export LEAT_SERVER=" + r.global.server + "\n"
	}
	fmt.Fprintf(r.env.Stderr, `
%[2]s flights of January 2001 are in, %[3]d more arrive each second. In another terminal:

%[5]s  bin/leat sql "SELECT origin, count(*) FROM flights GROUP BY 1 ORDER BY 2 DESC LIMIT 5"
  bin/leat sql --watch "SELECT * FROM top_routes ORDER BY flights DESC"    # a materialized view: always up to date
  curl '%[1]s/v1/views/routes/rows?origin=JFK&destination=LAX'
  bin/leat sql "SELECT * FROM airport_hours WHERE origin = 'ATL' ORDER BY hour DESC LIMIT 5"
  bin/leat sql "SHOW VIEWS"
  curl '%[1]s/v1/endpoints/busiest?state=TX&n=3'
  curl '%[1]s/v1/endpoints/route?origin=JFK&destination=LAX'
  bin/leat tail top_routes          # its changes, pushed as they happen; curl -N '%[1]s/v1/views/top_routes/changes'
  bin/leat sql "EXPLAIN ENDPOINT busiest"
  bin/leat schema flights
  bin/leat dead list flights        # one bad record was sent on purpose
  %[1]s/docs     # in a browser: the endpoints, with a form to try them

Ctrl-C stops; the data stays in %[4]s, and the next start goes on where this one ends.
`, r.global.server, humanCount(int64(r.sent)), demoPerSecond, r.data, elsewhere)
}

func (r *replay) sql(ctx context.Context, text string, out any) error {
	return r.getJSON(ctx, sqlRequest(text, nil, "json", 0), out)
}

func (r *replay) post(ctx context.Context, path string, body []byte) error {
	resp, err := r.do(ctx, request{method: http.MethodPost, path: path, body: bytes.NewReader(body)})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
