package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"leat/internal/auth"
	"leat/internal/bus"
	"leat/internal/catalog"
	"leat/internal/codec"
	"leat/internal/types"
)

// Bounds of answers.
const (
	maxFirstErrors  = 10
	maxStrictErrors = 100
	maxKey          = 255 // bytes of an Idempotency-Key
)

// Request is events for one stream.
type Request struct {
	Principal auth.Principal
	Stream    string
	Body      io.Reader
	// ContentLength is the length of Body where it is known, else 0 or less.
	ContentLength                int64
	ContentType, ContentEncoding string
	// Strict makes it all or nothing: one record that doesn't fit refuses the request.
	Strict bool
	// WaitVisible delays the answer until SQL sees the rows.
	WaitVisible bool
	// IdempotencyKey, where not empty, makes a repeat by the same token to the same stream answer what the first
	// got, as long as the log remembers it. With another body it is types.IdempotencyMismatch.
	IdempotencyKey string
}

// Send takes events. When it returns without an error, every record is durable, as a row or as a dead letter.
// With an error nothing was written, except types.Timeout and types.Canceled, after which that is unknown, and except
// for failures while waiting for visibility. A body of white space or [] is fine and has no records; one of no bytes is an error.
func (s *Service) Send(ctx context.Context, req Request) (Result, error) {
	r, err := s.send(ctx, &req)
	if err != nil {
		s.meters.failed(err)
		return Result{}, err
	}
	if req.WaitVisible {
		if err := s.Waiter.Wait(ctx, r.Position); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (s *Service) send(ctx context.Context, req *Request) (Result, error) {
	began := s.Now()
	if err := s.admit(req.Principal, req.Stream); err != nil {
		return Result{}, err
	}
	if len(req.IdempotencyKey) > maxKey {
		return Result{}, types.Errorf(types.InvalidArgument, "Idempotency-Key has %d bytes; at most %d are allowed", len(req.IdempotencyKey), maxKey)
	}
	held := &share{of: s.inFlight}
	defer held.release()
	body, err := s.readBody(ctx, req, held)
	if err != nil {
		return Result{}, err
	}
	post := &post{s: s, ctx: ctx, req: req, body: body, format: codec.Sniff(req.ContentType, body[:min(len(body), 4096)])}
	post.load = load{who: req.Principal, stream: req.Stream, decode: post.decode, sample: post.sample, commit: post.commit}
	if err := s.fit(ctx, &post.load); err != nil {
		return Result{}, err
	}
	s.meters.acked(post.obj.ID, post.obj.Name, &post.result, post.letters, len(body), s.Now().Sub(began))
	return post.result, nil
}

// admit checks what can be known before the body is read.
func (s *Service) admit(who auth.Principal, stream string) error {
	if err := types.CheckObjectName(stream); err != nil {
		return err
	}
	if !who.May(auth.Append, stream) {
		return types.Errorf(types.PermissionDenied, "this token may not append to %q", stream).WithHint("it needs the scope append:%s", stream)
	}
	return s.pressure.check()
}

// post is one Send under way.
type post struct {
	s      *Service
	ctx    context.Context // of the one call of Send that owns the post
	req    *Request
	body   []byte
	format codec.Format

	load    load
	obj     *catalog.Object
	letters []Letter
	result  Result
}

func (p *post) decode(obj *catalog.Object, closed bool) (*codec.Decoded, error) {
	return p.s.decoder(obj, closed).Decode(p.body, p.format)
}

// sample decodes by a schema without columns: then every field is unknown and told.
func (p *post) sample() ([][]byte, error) {
	d, err := codec.NewDecoder(&types.Schema{}, codec.Options{Name: p.req.Stream}).Decode(p.body, p.format)
	if err != nil {
		return nil, err
	}
	if p.req.Strict && len(d.Rejects) > 0 {
		return nil, strictError(d, p.body)
	}
	if len(d.Unknown) > 0 {
		return d.Unknown, nil
	}
	e := types.Errorf(types.InvalidRecord, "there is no stream %q, and no record of this body has a field to make it from; nothing was written", p.req.Stream)
	if len(d.Rejects) > 0 {
		e.Message += ": " + d.Rejects[0].Err.Message
		e.Errors = rejectErrors(d.Rejects, p.body, maxFirstErrors)
	}
	return nil, e
}

func (p *post) commit(obj *catalog.Object, d *codec.Decoded) error {
	if p.req.Strict && len(d.Rejects) > 0 {
		return strictError(d, p.body)
	}
	p.obj = obj
	p.letters = p.s.letters(obj, d.Rejects, p.body, p.format, p.req.Principal)
	p.result = Result{Accepted: d.Batch.Rows, DeadLetters: len(p.letters), FirstErrors: rejectErrors(d.Rejects, p.body, maxFirstErrors), Created: p.load.created}
	if d.Batch.Rows == 0 && len(p.letters) == 0 {
		p.result.Position = p.s.Log.Position(obj.ID)
		return nil
	}
	parts, err := route(obj, d.Batch, p.s.turn.Add(1))
	if err != nil {
		return err
	}
	a := &bus.Append{Parts: parts}
	if p.req.IdempotencyKey != "" {
		a.Dedup = &bus.Dedup{Scope: scope(p.req.Principal, obj), Key: p.req.IdempotencyKey, Digest: sha256.Sum256(p.body), Note: p.result.note()}
	}
	ack, err := p.s.appendWithLetters(p.ctx, obj, a, p.letters)
	if err != nil {
		return err
	}
	if ack.Duplicate {
		if p.result, err = resultOf(ack.Note); err != nil {
			return err
		}
		p.result.Duplicate = true
	}
	p.result.Position = positionOf(p.s.Log.Incarnation(), ack)
	return nil
}

// appendWithLetters appends rows and letters together, within the stream's quota of letters.
func (s *Service) appendWithLetters(ctx context.Context, obj *catalog.Object, a *bus.Append, letters []Letter) (bus.Ack, error) {
	more := sizeOf(letters)
	if err := s.quota.add(obj.ID, obj.Name, more); err != nil {
		return bus.Ack{}, err
	}
	if len(letters) > 0 {
		a.Parts = append(a.Parts, letterPart(letterRows(letters)))
	}
	ack, err := s.Log.Append(ctx, a)
	if err != nil || ack.Duplicate {
		s.quota.undo(obj.ID, more)
	}
	return ack, err
}

// positionOf is the position just after an append.
func positionOf(incarnation uint64, ack bus.Ack) types.Position {
	cursors := make([]types.Cursor, len(ack.Ranges))
	for i, r := range ack.Ranges {
		cursors[i] = types.Cursor{Partition: r.Partition, Next: r.Next}
	}
	return types.NewPosition(incarnation, cursors)
}

// letters makes dead letters of rejects.
func (s *Service) letters(obj *catalog.Object, rejects []codec.Reject, body []byte, f codec.Format, who auth.Principal) []Letter {
	if len(rejects) == 0 {
		return nil
	}
	format, header := "json", []byte(nil)
	if f == codec.CSV {
		format, header = "csv", csvHeader(body)
	}
	now := s.Now().Truncate(time.Microsecond)
	out := make([]Letter, len(rejects))
	for i := range rejects {
		r := &rejects[i]
		raw, cut := withHeader(header, r.Raw), r.Offset+len(r.Raw) < len(body) && len(r.Raw) == codecCut
		if len(raw) > s.Config.MaxLetterRaw {
			raw, cut = raw[:s.Config.MaxLetterRaw], true
		}
		out[i] = Letter{
			ID: uuid.Must(uuid.NewV7()), StreamID: obj.ID, Stream: obj.Name, At: now,
			Reason: r.Err.Code, Message: r.Err.Message, Path: r.Err.Path, Hint: r.Err.Hint,
			Line: r.Line, Record: r.Record + 1, Raw: raw, Truncated: cut, Format: format, Token: who.ID,
		}
	}
	return out
}

// codecCut is how much codec keeps of a record that is too large or of a rest that it cannot tell apart.
const codecCut = 64 << 10

func sizeOf(letters []Letter) usage {
	u := usage{rows: int64(len(letters))}
	for i := range letters {
		u.bytes += int64(len(letters[i].Raw) + len(letters[i].Message) + len(letters[i].Hint) + 128)
	}
	return u
}

// rejectErrors are the first errors, each with the place where its record starts.
func rejectErrors(rejects []codec.Reject, body []byte, most int) []*types.Error {
	var out []*types.Error
	for i := range rejects[:min(len(rejects), most)] {
		e := *rejects[i].Err
		before := body[:rejects[i].Offset]
		e.Line, e.Column = rejects[i].Line, 1+utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
		out = append(out, &e)
	}
	return out
}

func strictError(d *codec.Decoded, body []byte) error {
	n := len(d.Rejects)
	e := types.Errorf(types.InvalidRecord, "%d of %d records don't fit, the first: %s; nothing was written", n, n+d.Batch.Rows, d.Rejects[0].Err.Message).
		WithHint("mend them, or send without strict=true: they become dead letters then and the others are taken")
	e.Errors = rejectErrors(d.Rejects, body, maxStrictErrors)
	e.Path, e.Line, e.Column = e.Errors[0].Path, e.Errors[0].Line, e.Errors[0].Column
	return e
}

// scope is where an Idempotency-Key counts: one token and one stream. JWTs of one ID that see different rows are apart: where they have no sub, they are
// those of all tenants.
func scope(who auth.Principal, obj *catalog.Object) string {
	id := who.ID
	if key := who.DataKey(); key != "" {
		id += "#" + key
	}
	return id + "/" + types.PartitionID{Stream: obj.ID}.String()
}
