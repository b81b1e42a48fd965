package api

import (
	"leat/internal/types"
)

// maxKeyBytes bounds an Idempotency-Key.
const maxKeyBytes = 255

type sendAnswer struct {
	Accepted    int64       `json:"accepted"`
	DeadLetters int64       `json:"dead_letters"`
	FirstErrors []faultJSON `json:"first_errors"`
	Position    string      `json:"position"`
	Created     bool        `json:"created"`
	Duplicate   bool        `json:"duplicate,omitempty"`
}

func (s *server) sendEvents(c *call) error {
	strict, err := c.bool("strict")
	if err != nil {
		return err
	}
	keys := c.r.Header.Values("Idempotency-Key")
	if len(keys) > 1 || len(keys) == 1 && (keys[0] == "" || len(keys[0]) > maxKeyBytes) {
		return types.Errorf(types.InvalidArgument, "the Idempotency-Key must be one text of 1 to %d bytes", maxKeyBytes)
	}
	// A large body may take long to come; its pace is watched where it is read.
	ctx, cancel, err := c.deadline("", s.Limits.MaxTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	req := SendRequest{
		Principal: c.principal, Stream: c.r.PathValue("stream"),
		Body: c.r.Body, ContentType: c.r.Header.Get("Content-Type"), ContentEncoding: c.r.Header.Get("Content-Encoding"), ContentLength: c.r.ContentLength,
		Strict: strict, WaitVisible: c.query.Get("wait") == "visible",
	}
	if len(keys) == 1 {
		req.IdempotencyKey = keys[0]
	}
	result, err := s.Events.Send(ctx, req)
	c.position(result.Position) // also with an error, where the rows are durable but not yet visible
	if err != nil {
		return err
	}
	return c.json(200, sendAnswer{
		Accepted: result.Accepted, DeadLetters: result.DeadLetters, FirstErrors: faults(result.FirstErrors),
		Position: result.Position.Token(), Created: result.Created, Duplicate: result.Duplicate,
	})
}
