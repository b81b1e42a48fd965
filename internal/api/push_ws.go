package api

import (
	"context"
	"sync"
	"time"

	"github.com/coder/websocket"

	"leat/internal/types"
)

const (
	// pingEvery is how often the client of a WebSocket is asked whether it is there; pongWithin is how long it may take to answer.
	pingEvery  = 15 * time.Second
	pongWithin = 15 * time.Second
	// maxClientMessage bounds what a client may send, which nobody reads.
	maxClientMessage = 4 << 10
)

// pushMessages writes events as messages of a WebSocket.
func (c *call) pushMessages(stream Stream) error {
	conn, err := websocket.Accept(c.w, c.r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // checkOrigin has refused pages of others
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return nil // the library has answered
	}
	conn.SetReadLimit(maxClientMessage)
	// The client says nothing; what it sends all the same ends the connection. Reading is what answers pings and sees it leave.
	// The end of its context would cut the connection, before the client is told why.
	gone := conn.CloseRead(context.WithoutCancel(c.r.Context()))
	ctx, cancel := context.WithCancel(c.r.Context())
	defer context.AfterFunc(gone, cancel)()
	var pings sync.WaitGroup
	defer pings.Wait()
	defer cancel()
	pings.Go(func() { c.keepAlive(ctx, cancel, conn) })
	c.sendMessages(ctx, stream, conn)
	return nil
}

func (c *call) sendMessages(ctx context.Context, stream Stream, conn *websocket.Conn) {
	defer conn.CloseNow() //nolint:errcheck // closed already, or gone
	for {
		texts, err := stream.Next(ctx)
		if err != nil {
			c.closeMessages(ctx, stream, conn, err)
			return
		}
		if !c.send(ctx, conn, texts) {
			return
		}
	}
}

// send sends messages; false says that the client has gone, or takes nothing.
func (c *call) send(ctx context.Context, conn *websocket.Conn, texts [][]byte) bool {
	for _, text := range texts {
		ctx, cancel := context.WithTimeout(ctx, c.s.Limits.WriteTimeout)
		err := conn.Write(ctx, websocket.MessageText, text)
		cancel()
		if err != nil {
			return false
		}
	}
	return true
}

// closeMessages tells the client why nothing follows.
func (c *call) closeMessages(ctx context.Context, stream Stream, conn *websocket.Conn, err error) {
	if err = c.pushFailure(err); err == nil || ctx.Err() != nil && c.r.Context().Err() == nil {
		return
	}
	if !c.send(context.WithoutCancel(ctx), conn, stream.Last(err)) {
		return
	}
	e := coded(err)
	code := websocket.StatusPolicyViolation
	switch {
	case e.Code == types.Unavailable:
		code = websocket.StatusGoingAway
	case e.Code.Mapping() == types.Internal.Mapping():
		code = websocket.StatusInternalError
	}
	_ = conn.Close(code, string(e.Code)) // the client may be gone
}

// keepAlive asks the client now and then whether it is there, and ends the connection where it isn't.
func (c *call) keepAlive(ctx context.Context, end func(), conn *websocket.Conn) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		bounded, cancel := context.WithTimeout(ctx, pongWithin)
		err := conn.Ping(bounded)
		cancel()
		if err != nil {
			end()
			return
		}
	}
}
