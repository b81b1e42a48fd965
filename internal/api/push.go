package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"leat/internal/auth"
	"leat/internal/types"
)

// Pushes begins subscriptions; query is behind it. It authorises what is subscribed to.
type Pushes interface {
	Subscribe(ctx context.Context, r SubscribeRequest) (Stream, error)
}

// SubscribeRequest asks for the changes of a relation or of an endpoint's result.
type SubscribeRequest struct {
	Principal auth.Principal
	// Relation is a materialized view or table, of whose rows Columns picks those with these values; where it is "", Endpoint is called with Args.
	Relation string
	Columns  map[string]string
	Endpoint string
	Args     map[string]any
	// From is the ID of the last event that the client has, "" for none.
	From string
	// NoSnapshot begins with the changes from now on, Limit bounds the rows of a snapshot (0 is the server's default), and Cut ends a client that is
	// too slow.
	NoSnapshot bool
	Limit      int
	Cut        bool
	// Idle is after how much silence Next returns nevertheless.
	Idle time.Duration
	// Messages asks for JSON texts, one an event; else the texts are of Server-Sent Events.
	Messages      bool
	Int64AsString bool
}

// Stream is a subscription. One goroutine at a time uses it.
type Stream interface {
	// Next waits for the next texts, which are not to be changed; there may be none.
	Next(ctx context.Context) ([][]byte, error)
	// Ready reports whether Next would return at once.
	Ready() bool
	// Last are the texts that tell why the stream ends.
	Last(err error) [][]byte
	Close()
}

const (
	// pushIdle is after how much silence a client is shown that the connection is there.
	pushIdle = 15 * time.Second
	// maxPushLimit is the greatest _limit of a snapshot.
	maxPushLimit = 10_000_000
	// flushBytes is how much is written before it is sent though more is ready.
	flushBytes = 64 << 10
	// retryMs is after how long a browser connects again.
	retryMs     = "1000"
	eventStream = "text/event-stream; charset=utf-8"
)

var (
	fromParam     = param{name: "_from", kind: "string", about: "Go on behind this id, as the header Last-Event-ID."}
	snapshotParam = param{name: "_snapshot", kind: "boolean", about: "false begins with the changes from now on."}
	slowParam     = param{name: "_slow", kind: "string", about: "What becomes of a reader who is too slow: a reset and a snapshot, or the end.", enum: []string{"conflate", "cut"}}
	pushParams    = []param{fromParam, snapshotParam, slowParam, limitParam, int64Param}
	pushAnswer    = answer{200, "Events, until the client leaves. A request to upgrade to WebSocket gets them as messages.", []string{"text/event-stream"}}
)

// viewChanges follows a materialized view.
func (s *server) viewChanges(c *call) error {
	return c.push(SubscribeRequest{Relation: c.r.PathValue("view"), Columns: c.columns()})
}

// tableChanges follows a table.
func (s *server) tableChanges(c *call) error {
	return c.push(SubscribeRequest{Relation: c.r.PathValue("table"), Columns: c.columns()})
}

// endpointLive follows the result of an endpoint.
func (s *server) endpointLive(c *call) error {
	return c.push(SubscribeRequest{Endpoint: c.r.PathValue("endpoint"), Args: c.urlArgs()})
}

// push subscribes and goes on until the client leaves.
func (c *call) push(r SubscribeRequest) error {
	if c.s.Pushes == nil {
		return types.Errorf(types.Unsupported, "this server pushes no changes")
	}
	if err := c.pushOptions(&r); err != nil {
		return err
	}
	r.Messages = isWebSocket(c.r)
	if !r.Messages && c.r.Header.Get("Upgrade") != "" {
		return types.Errorf(types.InvalidArgument, "the Upgrade header asks for %.40q; the changes come over WebSocket or as Server-Sent Events", c.r.Header.Get("Upgrade"))
	}
	stream, err := c.s.Pushes.Subscribe(c.r.Context(), r)
	if err != nil {
		return err
	}
	defer stream.Close()
	if c.r.Method == http.MethodHead {
		set(c.w.Header(), "Content-Type", eventStream)
		return nil
	}
	c.w.most = 0 // max_bytes is about answers, which end
	if r.Messages {
		return c.pushMessages(stream)
	}
	return c.pushEvents(stream)
}

// pushOptions reads the parameters that all streams have.
func (c *call) pushOptions(r *SubscribeRequest) (err error) {
	r.Principal, r.Idle = c.principal, pushIdle
	if r.From = c.query.Get(fromParam.name); r.From == "" {
		r.From = c.r.Header.Get("Last-Event-ID")
	}
	if c.query.Has(snapshotParam.name) {
		with, err := c.bool(snapshotParam.name)
		if err != nil {
			return err
		}
		r.NoSnapshot = !with
	}
	r.Cut = c.query.Get(slowParam.name) == "cut"
	r.Int64AsString = c.query.Get(int64Param.name) == "string"
	r.Limit, err = c.int(limitParam.name, maxPushLimit)
	return err
}

// pushEvents writes Server-Sent Events.
func (c *call) pushEvents(stream Stream) error {
	h := c.w.Header()
	set(h, "Content-Type", eventStream)
	set(h, "Cache-Control", "no-store, no-transform")
	set(h, "X-Accel-Buffering", "no") // nginx would hold events back
	c.w.WriteHeader(http.StatusOK)
	if !c.put([][]byte{[]byte("retry: " + retryMs + "\n\n")}) {
		return nil
	}
	ctx := c.r.Context()
	unsent := 1
	for {
		// What is ready goes out together.
		if unsent > 0 && (unsent >= flushBytes || !stream.Ready()) {
			if !c.flush() {
				return nil
			}
			unsent = 0
		}
		texts, err := stream.Next(ctx)
		if err != nil {
			if err = c.pushFailure(err); err != nil && c.put(stream.Last(err)) {
				c.flush()
			}
			return nil
		}
		if !c.put(texts) {
			return nil
		}
		for _, text := range texts {
			unsent += len(text)
		}
	}
}

// put writes texts; false says that the client has gone, or takes nothing.
func (c *call) put(texts [][]byte) bool {
	for _, text := range texts {
		if _, err := c.w.Write(text); err != nil {
			return false
		}
	}
	return true
}

// flush sends what was written; false says that the client has gone.
func (c *call) flush() bool {
	c.w.extend()
	err := c.w.control.Flush()
	if c.r.ProtoMajor >= 2 {
		// HTTP/2 resets a stream whose deadline passes though nothing waits to be written.
		c.w.extended = time.Time{}
		_ = c.w.control.SetWriteDeadline(time.Time{}) // test writers have none
	}
	return err == nil
}

// pushFailure is why a stream ended, nil where the client left: a token that ended has ended the request's context.
func (c *call) pushFailure(err error) error {
	if c.r.Context().Err() == nil {
		return err
	}
	if cause, ok := errors.AsType[*types.Error](context.Cause(c.r.Context())); ok {
		return cause
	}
	return nil
}
