package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"leat/internal/codec/chunk"
	"leat/internal/types"
)

// sendTries is how often one chunk is sent before the command gives up; every chunk carries an
// Idempotency-Key, so a repeated one is not written twice.
const sendTries = 8

type sendFlags struct {
	strict, wait, quiet bool
	rate                int
}

func newSend(c *client) *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send STREAM [FILE...]",
		Short: "Send events from files or standard input: NDJSON, JSON array, CSV with header, Parquet; also gzip or zstd",
		Example: `  leat send orders orders.ndjson
  zcat events.gz | leat send events`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.send(cmd.Context(), f, args[0], args[1:]) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.strict, "strict", false, "refuse a chunk of records whole if one of them is bad")
	flags.BoolVar(&f.wait, "wait", false, "return when SQL sees the events")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	flags.IntVar(&f.rate, "rate", 0, "at most this many records a second (0: no limit)")
	return cmd
}

// sent is the sum of the server's answers.
type sent struct {
	Accepted    int       `json:"accepted"`
	DeadLetters int       `json:"dead_letters"`
	FirstErrors []problem `json:"first_errors,omitempty"`
	Position    string    `json:"position"`
	Created     bool      `json:"created"`
}

func (c *client) send(ctx context.Context, f sendFlags, stream string, files []string) error {
	if len(files) == 0 {
		if c.env.Interactive {
			return types.Errorf(types.InvalidArgument, "no file was given").WithHint("leat send %s FILE, or pipe events in", stream)
		}
		files = []string{"-"}
	}
	s := &sender{client: c, flags: f, stream: stream, run: rand.Text(), start: time.Now(), progress: c.env.Terminal && !f.quiet}
	for _, name := range files {
		if err := s.file(ctx, name); err != nil {
			s.clearLine()
			if s.total.Accepted > 0 {
				fmt.Fprintf(c.env.Stderr, "%s events were accepted before the failure\n", humanCount(int64(s.total.Accepted)))
			}
			return err
		}
	}
	return s.finish()
}

type sender struct {
	client   *client
	flags    sendFlags
	stream   string
	run      string
	chunk    int
	start    time.Time
	progress bool
	drawn    time.Time
	read     int64
	size     int64
	total    sent
}

func (s *sender) file(ctx context.Context, name string) error {
	in, size, err := s.open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	s.size += size
	chunks, err := chunk.New(name, in, chunk.Options{Read: &s.read})
	if err != nil {
		return err
	}
	defer chunks.Close()
	chunks.Records = s.recordsPerChunk()
	for {
		body, contentType, records, err := chunks.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return types.Errorf(types.InvalidArgument, "%s: %w", name, err)
		}
		if err := s.post(ctx, body, contentType); err != nil {
			return err
		}
		if err := s.pace(ctx, records); err != nil {
			return err
		}
		s.draw(false)
	}
}

func (s *sender) open(name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(s.client.env.Stdin), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, types.Errorf(types.InvalidArgument, "%w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// recordsPerChunk keeps a paced replay smooth: about ten chunks a second.
func (s *sender) recordsPerChunk() int {
	if s.flags.rate == 0 {
		return 0
	}
	return max(1, s.flags.rate/10)
}

// post sends one chunk, again while the server is busy or unreachable.
func (s *sender) post(ctx context.Context, body []byte, contentType string) error {
	query := url.Values{}
	if s.flags.strict {
		query.Set("strict", "true")
	}
	if s.flags.wait {
		query.Set("wait", "visible")
	}
	s.chunk++
	header := map[string]string{"Content-Type": contentType, "Idempotency-Key": fmt.Sprintf("%s-%d", s.run, s.chunk)}
	for try := 1; ; try++ {
		var answer sent
		err := s.client.getJSON(ctx, request{
			method: http.MethodPost, path: "/v1/events/" + url.PathEscape(s.stream), query: query,
			body: bytes.NewReader(body), header: header,
		}, &answer)
		if err == nil {
			s.add(answer)
			return nil
		}
		if try == sendTries || !retryable(err) || s.chunk == 1 && types.HasCode(err, types.Unavailable) {
			return err
		}
		wait := backoff(err, try)
		s.tellWait(err, wait)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// tellWait says in place of the progress why nothing moves.
func (s *sender) tellWait(err error, wait time.Duration) {
	if s.progress {
		s.clearLine()
		fmt.Fprintf(s.client.env.Stderr, "%.80s; again in %s", types.AsError(err).Message, wait.Round(100*time.Millisecond))
	}
}

func retryable(err error) bool {
	return types.HasCode(err, types.TooManyRequests) || types.HasCode(err, types.Unavailable)
}

func backoff(err error, try int) time.Duration {
	if e := types.AsError(err); e.RetryAfter > 0 {
		return time.Duration(e.RetryAfter) * time.Second
	}
	return min(100*time.Millisecond<<try, 10*time.Second)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (s *sender) add(a sent) {
	s.total.Accepted += a.Accepted
	s.total.DeadLetters += a.DeadLetters
	s.total.Created = s.total.Created || a.Created
	s.total.Position = a.Position
	if room := 10 - len(s.total.FirstErrors); room > 0 {
		s.total.FirstErrors = append(s.total.FirstErrors, a.FirstErrors[:min(room, len(a.FirstErrors))]...)
	}
}

// pace waits until the records sent so far fit the rate.
func (s *sender) pace(ctx context.Context, records int) error {
	if s.flags.rate == 0 || records == 0 {
		return nil
	}
	done := s.total.Accepted + s.total.DeadLetters
	due := s.start.Add(time.Duration(float64(done) / float64(s.flags.rate) * float64(time.Second)))
	return sleep(ctx, time.Until(due))
}

func (s *sender) draw(last bool) {
	if !s.progress || !last && time.Since(s.drawn) < 100*time.Millisecond {
		return
	}
	s.drawn = time.Now()
	bar := ""
	if s.size > 0 {
		const width = 30
		done := min(width, int(s.read*width/s.size))
		bar = fmt.Sprintf("[%s%s] ", repeat('=', done), repeat(' ', width-done))
	}
	fmt.Fprintf(s.client.env.Stderr, "\r\x1b[K%s%s events, %s/s", bar, humanCount(int64(s.total.Accepted+s.total.DeadLetters)), humanCount(int64(s.perSecond())))
}

func (s *sender) clearLine() {
	if s.progress {
		fmt.Fprint(s.client.env.Stderr, "\r\x1b[K")
	}
}

func (s *sender) perSecond() float64 {
	return float64(s.total.Accepted+s.total.DeadLetters) / max(time.Since(s.start).Seconds(), 1e-9)
}

// finish prints the sum: for people on a terminal, else as JSON.
func (s *sender) finish() error {
	s.clearLine()
	env := s.client.env
	if !env.Terminal || s.client.global.format != "" && s.client.global.format != "table" {
		b, err := json.Marshal(s.total)
		if err != nil {
			return err
		}
		fmt.Fprintln(env.Stdout, string(b))
		return nil
	}
	created := ""
	if s.total.Created {
		created = " (stream created; see `leat schema " + s.stream + "`)"
	}
	fmt.Fprintf(env.Stdout, "%s events into %s in %.1f s, %s/s%s\n", humanCount(int64(s.total.Accepted)), s.stream, time.Since(s.start).Seconds(), humanCount(int64(s.perSecond())), created)
	if s.total.DeadLetters > 0 {
		fmt.Fprintf(env.Stderr, "%s records could not be used and are kept: `leat dead list %s`\n", humanCount(int64(s.total.DeadLetters)), s.stream)
		printProblems(env.Stderr, s.total.FirstErrors)
	}
	return nil
}

func repeat(c byte, n int) string { return string(bytes.Repeat([]byte{c}, n)) }
