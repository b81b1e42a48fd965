package ingest

import (
	"context"
	"crypto/sha256"

	"github.com/google/uuid"

	"leat/internal/auth"
	"leat/internal/bus"
	"leat/internal/catalog"
	"leat/internal/codec"
	"leat/internal/types"
)

// Replay asks to decode letters again by the present schema of their stream.
type Replay struct {
	Stream string
	// Filter picks the letters, among those that came before the call.
	Filter Filter
	// Raw, where not nil, is sent instead of the one letter that Filter.IDs names: the record as mended by hand. It is JSON or, with CSV
	// set, a header line and a record. It may hold several records; all of them must fit.
	Raw []byte
	CSV bool
}

// Replayed is what became of the letters.
type Replayed struct {
	// Replayed counts letters that are rows now and no letters any more, Failed those that stay.
	Replayed, Failed int
	// Rows are the rows that they became.
	Rows int
	// FirstErrors says why, for the first 10 that stay.
	FirstErrors []*types.Error
	// Position is just after the last append.
	Position types.Position
}

// Replay sends letters again. A letter that fits now becomes rows and is deleted in one append, so neither a crash nor a
// repeat makes duplicates; the others stay as they are. It needs the scopes raw and append. An error may come after a
// part of the letters was replayed: the count says how many, and a repeat goes on with the rest.
func (d *DeadLetters) Replay(ctx context.Context, who auth.Principal, req Replay) (Replayed, error) {
	if err := d.may(who, req.Stream, auth.Raw, auth.Append); err != nil {
		return Replayed{}, err
	}
	if req.Raw != nil && len(req.Filter.IDs) != 1 {
		return Replayed{}, types.Errorf(types.InvalidArgument, "an edited record replaces one dead letter; name exactly one")
	}
	release, err := d.change(ctx)
	if err != nil {
		return Replayed{}, err
	}
	defer release()
	var total Replayed
	f, until := req.Filter, uuid.Must(uuid.NewV7())
	for {
		if err := d.wait(ctx); err != nil {
			return total, err
		}
		letters, err := d.read(ctx, req.Stream, f, until, replayLetters)
		if err != nil {
			return total, err
		}
		if len(letters) == 0 {
			return total, d.missing(req, &total)
		}
		f.After = letters[len(letters)-1].ID
		if req.Raw != nil {
			letters[0].Raw, letters[0].Truncated, letters[0].Format = req.Raw, false, "json"
			if req.CSV {
				letters[0].Format = "csv"
			}
		}
		for len(letters) > 0 {
			n := fitting(letters)
			if err := d.chunk(ctx, who, req.Stream, letters[:n], &total); err != nil {
				return total, err
			}
			letters = letters[n:]
		}
	}
}

// missing is the error of a replay that named letters and found none.
func (d *DeadLetters) missing(req Replay, total *Replayed) error {
	if len(req.Filter.IDs) > 0 && total.Replayed+total.Failed == 0 {
		return types.Errorf(types.NotFound, "stream %q has no such dead letters; were they replayed or purged?", req.Stream)
	}
	return nil
}

// fitting is how many letters go into one append.
func fitting(letters []Letter) int {
	bytes := 0
	for i := range letters {
		if bytes += len(letters[i].Raw); bytes > replayBytes {
			return max(i, 1)
		}
	}
	return len(letters)
}

// chunk replays letters in one append.
func (d *DeadLetters) chunk(ctx context.Context, who auth.Principal, stream string, letters []Letter, total *Replayed) error {
	r := replaying{d: d, letters: letters}
	// The append must not be given up half-way: what it did must be known before the next letters are read.
	r.ctx = context.WithoutCancel(ctx)
	if err := d.s.fit(ctx, &load{who: who, stream: stream, decode: r.decode, commit: r.commit}); err != nil {
		return err
	}
	total.Replayed += len(r.done)
	total.Failed += len(letters) - len(r.done)
	total.Rows += r.rows
	total.FirstErrors = append(total.FirstErrors, r.errors...)
	total.FirstErrors = total.FirstErrors[:min(len(total.FirstErrors), maxFirstErrors)]
	if len(r.done) > 0 {
		total.Position = r.position
	}
	return nil
}

// replaying is one chunk under way.
type replaying struct {
	d       *DeadLetters
	ctx     context.Context // of the append
	letters []Letter

	batches  []*types.Batch
	done     []uuid.UUID
	digest   [32]byte // of the letters done, with what was sent for them
	errors   []*types.Error
	rows     int
	position types.Position
}

// decode reads each letter by itself. What it returns has the rows of the letters of which every record fits.
func (r *replaying) decode(obj *catalog.Object, closed bool) (*codec.Decoded, error) {
	r.batches, r.done, r.errors, r.rows = nil, nil, nil, 0
	decoder, all, sum := r.d.s.decoder(obj, closed), &codec.Decoded{}, sha256.New()
	for i := range r.letters {
		l := &r.letters[i]
		d, err := decodeLetter(decoder, l)
		if err != nil {
			e := *types.AsError(err)
			r.fail(&e)
			continue
		}
		all.Unknown = append(all.Unknown, d.Unknown...)
		if len(d.Rejects) > 0 {
			r.fail(d.Rejects[0].Err)
			continue
		}
		all.Wide = append(all.Wide, d.Wide...)
		r.batches, r.done, r.rows = append(r.batches, d.Batch), append(r.done, l.ID), r.rows+d.Batch.Rows
		sum.Write(l.ID[:])
		sum.Write(l.Raw)
	}
	sum.Sum(r.digest[:0])
	return all, nil
}

func (r *replaying) fail(e *types.Error) {
	if len(r.errors) < maxFirstErrors {
		r.errors = append(r.errors, e)
	}
}

// decodeLetter decodes what a letter kept.
func decodeLetter(decoder *codec.Decoder, l *Letter) (*codec.Decoded, error) {
	if l.Truncated {
		return nil, types.Errorf(types.InvalidRecord, "dead letter %s kept only the first %d bytes of its record", l.ID, len(l.Raw)).
			WithHint("send the record again from where it came, or replay the letter with an edited record")
	}
	format := codec.CSV
	if l.Format != "csv" {
		format = codec.Sniff("application/json", l.Raw[:min(len(l.Raw), 4096)])
	}
	d, err := decoder.Decode(l.Raw, format)
	if err != nil {
		return nil, err
	}
	if d.Batch.Rows == 0 && len(d.Rejects) == 0 {
		return nil, types.Errorf(types.InvalidRecord, "dead letter %s has no record in it", l.ID).WithHint("purge it, or replay it with an edited record")
	}
	return d, nil
}

// commit appends the rows and deletes their letters together. The key makes a repeat of the same letters
// harmless even if the store should not have seen the deletes.
func (r *replaying) commit(obj *catalog.Object, _ *codec.Decoded) error {
	if len(r.done) == 0 {
		return nil
	}
	batch, err := concat(r.batches)
	if err != nil {
		return err
	}
	parts, err := route(obj, batch, r.d.s.turn.Add(1))
	if err != nil {
		return err
	}
	key := sha256.New()
	for _, id := range r.done {
		key.Write(id[:])
	}
	ack, err := r.d.s.Log.Append(r.ctx, &bus.Append{
		Parts: append(parts, letterPart(letterDeletes(r.done))),
		Dedup: &bus.Dedup{Scope: "replay", Key: string(key.Sum(nil)), Digest: r.digest},
	})
	if err != nil {
		return err
	}
	r.position = positionOf(r.d.s.Log.Incarnation(), ack)
	return nil
}
