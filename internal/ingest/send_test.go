package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/ingest"
	"leat/internal/types"
)

func TestFirstEventsMakeTheStreamAndLaterOnesGrowIt(t *testing.T) {
	w := memWorld(t)
	r := w.must(t, "orders", `{"id":1,"item":"mill"}`)
	if !r.Created || r.Accepted != 1 || r.DeadLetters != 0 {
		t.Fatalf("got %+v", r)
	}
	r = w.must(t, "orders", `{"id":2,"item":"leat","price":3.5}`+"\n"+`{"id":3}`)
	if r.Created || r.Accepted != 2 {
		t.Fatalf("got %+v", r)
	}
	got := w.rows(t, "orders")
	if want := []string{"1|mill", "2|leat|3.5", "3|(null)|(null)"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// TestBadInput sends each bad body of the issue to a stream (n BIGINT, d DOUBLE, s VARCHAR).
func TestBadInput(t *testing.T) {
	good := `{"n":1,"d":1.5,"s":"x"}` + "\n"
	for name, c := range map[string]struct {
		body          string
		rows, letters int
		truncated     bool
		code          types.Code
	}{
		"truncated JSON":         {body: good + `{"n":2,"d":`, rows: 1, letters: 1},
		"truncated array":        {body: `[{"n":1},{"n":2}`, rows: 2, letters: 1},
		"a line of 17 MiB":       {body: good + `{"s":"` + strings.Repeat("a", 17<<20) + `"}` + "\n" + good, rows: 2, letters: 1, truncated: true},
		"NUL byte":               {body: good + "{\"s\":\"a\x00b\"}\n", rows: 1, letters: 1},
		"escaped NUL":            {body: good + `{"s":"a\u0000b"}`, rows: 1, letters: 1},
		"invalid UTF-8":          {body: good + "{\"s\":\"\xff\xfe\"}\n", rows: 1, letters: 1},
		"1e400":                  {body: good + `{"d":1e400}`, rows: 1, letters: 1},
		"2^53+1 into DOUBLE":     {body: good + `{"d":9007199254740993}`, rows: 1, letters: 1},
		"nesting bomb":           {body: good + strings.Repeat(`{"a":`, 100_000) + "\n" + good, rows: 2, letters: 1},
		"ragged CSV":             {body: "n,d,s\n1,1.5,x\n2,2.5\n3,3.5,y,z\n4,4.5,w\n", rows: 2, letters: 2},
		"not an object":          {body: good + "42\n" + good, rows: 2, letters: 1},
		"empty body":             {body: "", code: types.InvalidArgument},
		"white space":            {body: " \n\n", rows: 0},
		"empty array":            {body: "[]", rows: 0},
		"body over the limit":    {body: strings.Repeat(" ", 65<<20), code: types.PayloadTooLarge},
		"gzip bomb":              {body: gzipped(strings.Repeat(" ", 80<<20)), code: types.PayloadTooLarge},
		"damaged gzip":           {body: gzipped(good)[:20], code: types.InvalidArgument},
		"gzip without a header":  {body: gzipped(good), rows: 1},
		"damaged, unknown magic": {body: "\x28\xB5\x2F\xFDnonsense", code: types.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			w := memWorld(t)
			w.define(t, &catalog.Object{Kind: catalog.StreamKind, Name: "s", Stream: &catalog.Stream{Partitions: 1}}, "n", "BIGINT", "d", "DOUBLE", "s", "VARCHAR")
			r, err := w.send("s", c.body)
			if c.code != "" {
				wantCode(t, err, c.code)
				if rows := w.rows(t, "s"); len(rows) != 0 {
					t.Fatalf("an error wrote %q", rows)
				}
				return
			}
			if err != nil || r.Accepted != c.rows || r.DeadLetters != c.letters || len(r.FirstErrors) != c.letters {
				t.Fatalf("got %+v, %v; want %d rows and %d letters", r, err, c.rows, c.letters)
			}
			if n := len(w.rows(t, "s")); n != c.rows {
				t.Fatalf("%d rows in the log, want %d", n, c.rows)
			}
			letters := rowsOf(w.entries(t, ingest.DeadLetterID, 1))
			if len(letters) != c.letters {
				t.Fatalf("%d letters in the log, want %d", len(letters), c.letters)
			}
			if c.letters > 0 && c.truncated != strings.Contains(letters[0], "|true|") {
				t.Fatalf("truncated should be %v", c.truncated)
			}
		})
	}
}

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, s)
	_ = z.Close()
	return b.String()
}

type broken struct{ r io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestClientGoneHalfWayWritesNothing(t *testing.T) {
	w := memWorld(t)
	_, err := w.Send(t.Context(), ingest.Request{Principal: auth.Local, Stream: "s", Body: broken{strings.NewReader(`{"a":1}`)}})
	wantCode(t, err, types.InvalidArgument)
	if _, ok := w.ByName("s"); ok {
		t.Fatal("the stream was created")
	}
	if m := w.Metrics(); m.InFlightBytes != 0 || m.Refused[types.InvalidArgument] != 1 {
		t.Fatalf("got %+v", m)
	}
}

func TestStrictIsAllOrNothing(t *testing.T) {
	w := memWorld(t)
	w.must(t, "s", `{"a":1}`)
	_, err := w.Send(t.Context(), ingest.Request{Principal: auth.Local, Stream: "s", Strict: true, Body: strings.NewReader("{\"a\":2}\n{\"a\":\n{\"a\":3}\n7\n")})
	if e := wantCode(t, err, types.InvalidRecord); len(e.Errors) != 2 || e.Errors[0].Line != 2 {
		t.Fatalf("got %+v", e)
	}
	if rows := w.rows(t, "s"); len(rows) != 1 {
		t.Fatalf("got %q", rows)
	}
}

func TestScopes(t *testing.T) {
	w := memWorld(t)
	appender := auth.Principal{ID: "a", Scopes: []auth.Scope{{Action: auth.Append, Object: "s"}}}
	try := func(stream string) error {
		_, err := w.Send(t.Context(), ingest.Request{Principal: appender, Stream: stream, Body: strings.NewReader(`{"a":1}`)})
		return err
	}
	wantCode(t, try("other"), types.PermissionDenied)
	wantCode(t, try("s"), types.PermissionDenied) // may not create
	wantCode(t, try(`s"; drop`), types.InvalidArgument)
	w.must(t, "s", `{"a":1}`)
	if err := try("s"); err != nil {
		t.Fatal(err)
	}
	w.put(&catalog.Object{Kind: catalog.ViewKind, Name: "v", View: &catalog.View{}})
	_, err := w.send("v", `{"a":1}`)
	wantCode(t, err, types.InvalidArgument)
}

func TestAutomaticStreamsAreLimited(t *testing.T) {
	w := newWorld(t, vfs.NewMem(), "log", func(c *ingest.Config) { c.MaxAutoStreams = 2 })
	w.must(t, "a", `{"x":1}`)
	w.must(t, "b", `{"x":1}`)
	_, err := w.send("c", `{"x":1}`)
	wantCode(t, err, types.LimitExceeded)
}

func TestBacklogAndQuotaRefuse(t *testing.T) {
	w := newWorld(t, vfs.NewMem(), "log", func(c *ingest.Config) { c.MaxLetters = 1 })
	w.must(t, "s", "{\"x\":1}\n7")
	_, err := w.send("s", "{\"x\":2}\n7")
	if e := wantCode(t, err, types.TooManyRequests); e.RetryAfter == 0 {
		t.Fatal("no Retry-After")
	}
	w.must(t, "s", `{"x":3}`)
	if got := w.rows(t, "s"); !slices.Equal(got, []string{"1", "3"}) {
		t.Fatalf("got %q", got)
	}
	b := memWorld(t)
	b.backlog = ingest.Backlog{Bottleneck: "the loader", Waiting: 20_000_000}
	_, err = b.send("s", `{"x":1}`)
	if e := wantCode(t, err, types.TooManyRequests); e.RetryAfter != 60 || !strings.Contains(e.Message, "the loader") {
		t.Fatalf("got %+v", e)
	}
}

func TestIdempotencySurvivesReopening(t *testing.T) {
	fs := vfs.NewMem()
	w := newWorld(t, fs, "log", nil)
	post := func(w *world, body string) (ingest.Result, error) {
		return w.Send(t.Context(), ingest.Request{Principal: auth.Local, Stream: "s", Body: strings.NewReader(body), IdempotencyKey: "k"})
	}
	body := "{\"x\":1}\n7"
	first, err := post(w, body)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		again, err := post(w, body)
		if err != nil || !again.Duplicate || again.Accepted != 1 || again.DeadLetters != 1 || !again.Created || again.Position.Token() != first.Position.Token() ||
			again.FirstErrors[0].Error() != first.FirstErrors[0].Error() {
			t.Fatalf("got %+v, %v; first %+v", again, err, first)
		}
		_, err = post(w, `{"x":2}`)
		wantCode(t, err, types.IdempotencyMismatch)
		if err := w.log.Close(); err != nil {
			t.Fatal(err)
		}
		reopened := newWorld(t, fs, "log", nil)
		reopened.objects = w.objects
		w = reopened
	}
	if rows := w.rows(t, "s"); len(rows) != 1 {
		t.Fatalf("got %q", rows)
	}
}

// TestNothingIsLost sends random lines and finds each in the log, as a row or as a dead letter.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := memWorld(t)
		defer w.log.Close()
		sent, rows, letters := 0, 0, 0
		for range rapid.IntRange(1, 6).Draw(r, "requests") {
			lines := rapid.SliceOfN(genLine(), 1, 20).Draw(r, "lines")
			res, err := w.send("s", strings.Join(lines, "\n"))
			if err != nil {
				if _, ok := w.ByName("s"); ok || !types.HasCode(err, types.InvalidRecord) {
					r.Fatal(err)
				}
				continue
			}
			if res.Accepted+res.DeadLetters != len(lines) {
				r.Fatalf("%d rows + %d letters of %d records", res.Accepted, res.DeadLetters, len(lines))
			}
			sent, rows, letters = sent+len(lines), rows+res.Accepted, letters+res.DeadLetters
		}
		if n := len(w.rows(t, "s")); n != rows {
			r.Fatalf("%d rows in the log, %d were answered", n, rows)
		}
		if n := len(rowsOf(w.entries(t, ingest.DeadLetterID, 1))); n != letters {
			r.Fatalf("%d letters in the log, %d were answered", n, letters)
		}
	})
}

func genLine() *rapid.Generator[string] {
	value := rapid.SampledFrom([]string{"1", "-7", "1.5", "9007199254740993", "9223372036854775808", "1e400", `"x"`, `"2020-01-01T00:00:00Z"`, "null", "true", "[1]", `{"k":1}`, `[{"z":null}]`, "nul", `"`})
	return rapid.Custom(func(t *rapid.T) string {
		fields := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "A", "at", "_op"}), 1, 3).Draw(t, "fields")
		var parts []string
		for _, f := range fields {
			parts = append(parts, fmt.Sprintf("%q:%s", f, value.Draw(t, "value")))
		}
		return "{" + strings.Join(parts, ",") + "}"
	})
}

// TestConcurrentEvolutionKeepsTheOrderOfVersions is for -race too: no entry of an older schema version follows one of a newer.
func TestConcurrentEvolutionKeepsTheOrderOfVersions(t *testing.T) {
	w := memWorld(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				body := repeat(5, func(int) string { return fmt.Sprintf(`{"common":1,"f%d_%d":%d}`, g, i/4, i) })
				if r, err := w.send("s", body); err != nil || r.Accepted != 5 {
					t.Errorf("got %+v, %v", r, err)
				}
			}
		})
	}
	wg.Wait()
	o, _ := w.ByName("s")
	version, rows := 0, 0
	for _, e := range w.entries(t, o.ID, 1) {
		if e.Batch == nil {
			continue
		}
		if e.Batch.Schema.Version < version {
			t.Fatalf("version %d follows %d", e.Batch.Schema.Version, version)
		}
		version, rows = e.Batch.Schema.Version, rows+e.Batch.Rows
	}
	if rows != 8*20*5 || version != o.Stream.Schema.Version {
		t.Fatalf("%d rows, last version %d of %d", rows, version, o.Stream.Schema.Version)
	}
}

func BenchmarkSendBids(b *testing.B) {
	w := newWorld(b, vfs.Default, b.TempDir(), nil)
	body := repeat(1000, func(i int) string {
		return fmt.Sprintf(`{"auction":%d,"bidder":%d,"price":%d,"channel":"channel-%d","url":"https://www.nexmark.com/abc/def/ghi/item.htm?query=1&channel_id=%d","dateTime":"2026-01-01T00:00:00.%03dZ","extra":"qwertyuiopasdfghjklzxcvbnmqwertyuiopasdf"}`, 1000+i, 2000+i, i*37, i, i*7919, i)
	})
	w.must(b, "bid", body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := w.Send(context.Background(), ingest.Request{Principal: auth.Local, Stream: "bid", Body: strings.NewReader(body), ContentLength: int64(len(body))}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "events/s")
}
