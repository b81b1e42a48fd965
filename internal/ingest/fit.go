package ingest

import (
	"context"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/codec"
	"leat/internal/infer"
	"leat/internal/types"
)

// Bounds of the loop that makes a schema fit.
const (
	maxEvolutions = 3  // after these, records that still do not fit are dead letters: unknown fields must not vanish
	maxRounds     = 12 // schema changes by others may make more rounds necessary
)

// load is something to append: events, letters to replay, or rows of a statement.
type load struct {
	who    auth.Principal
	stream string
	// decode makes rows by an object's schema. With closed, records with unknown fields are rejects.
	decode func(obj *catalog.Object, closed bool) (*codec.Decoded, error)
	// sample returns records from which a missing stream can be inferred; nil forbids to create one.
	sample func() ([][]byte, error)
	// commit appends; the stream's fence is held for reading.
	commit func(obj *catalog.Object, d *codec.Decoded) error
	// created is set once these events made the stream.
	created bool
}

// fit decodes, lets the schema grow until the load fits or can't be made to, and commits.
func (s *Service) fit(ctx context.Context, l *load) error {
	evolutions := 0
	for range maxRounds {
		obj, release, err := s.hold(l.stream)
		if err != nil {
			return err
		}
		if obj == nil {
			if err := s.create(ctx, l); err != nil {
				return err
			}
			continue
		}
		if err := replaces(l.who, obj); err != nil {
			release()
			return err
		}
		closed := obj.Stream.Closed || evolutions >= maxEvolutions
		wide, unknown, err := pass(l, obj, release, closed)
		switch {
		case err != nil:
			return err
		case len(wide) > 0:
			if err := s.Schemas.MarkWide(ctx, obj.ID, wide); err != nil {
				return err
			}
		case len(unknown) > 0:
			now, _, err := s.Schemas.Evolve(ctx, l.who, l.stream, unknown)
			if err != nil {
				return err
			}
			evolutions++
			if now.ID == obj.ID && now.Stream.Schema.Version == obj.Stream.Schema.Version {
				evolutions = maxEvolutions // nothing can be learnt from them
			}
		default:
			return nil
		}
	}
	e := types.Errorf(types.Unavailable, "the schema of %q changes faster than these records could be checked against it; nothing was written", l.stream)
	e.RetryAfter = 1
	return e.WithHint("send them again")
}

// replaces refuses who sees some rows of a table only: a key may be that of a row which is not among them.
func replaces(who auth.Principal, obj *catalog.Object) error {
	if len(obj.Stream.PrimaryKey) == 0 {
		return nil
	}
	if f, ok := who.FilterOf(obj.Name); ok && len(f) == 0 {
		return nil
	}
	return types.Errorf(types.PermissionDenied, "this token sees some rows only, so it may not change rows of table %q", obj.Name).
		WithHint("events can be sent to streams")
}

// pass decodes once under the fence and commits, unless the schema must change before: then it says how. It lets the fence go.
func pass(l *load, obj *catalog.Object, release func(), closed bool) (wide []int32, unknown [][]byte, err error) {
	defer release()
	d, err := l.decode(obj, closed)
	if err != nil {
		return nil, nil, err
	}
	if wide = unmarked(obj.Stream.Schema, d.Wide); len(wide) > 0 {
		return wide, nil, nil
	}
	if len(d.Unknown) > 0 && !closed {
		if _, grows := infer.Evolve(obj.Stream.Schema, d.Unknown, skipOf(obj)...); grows {
			return nil, d.Unknown, nil
		}
		// Nothing can be learnt. Unknown fields must not vanish: a record that has some becomes a dead letter.
		if d, err = l.decode(obj, true); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, l.commit(obj, d)
}

// skipOf are the fields of records that are no columns.
func skipOf(obj *catalog.Object) []string {
	if len(obj.Stream.PrimaryKey) > 0 {
		return []string{"_op"}
	}
	return nil
}

// unmarked returns the columns that are not marked as wide in the schema.
func unmarked(schema *types.Schema, ids []int32) []int32 {
	var out []int32
	for _, id := range ids {
		if c := schema.IndexID(id); c >= 0 && !schema.Columns[c].Wide {
			out = append(out, id)
		}
	}
	return out
}

// hold finds a stream or table and takes its fence. It returns a nil object where there is none.
func (s *Service) hold(name string) (obj *catalog.Object, release func(), err error) {
	for {
		obj, ok := s.Catalog.ByName(name)
		if !ok {
			return nil, nil, nil
		}
		if obj.Stream == nil {
			return nil, nil, types.Errorf(types.InvalidArgument, "%q is a %s; events go to streams and tables", name, obj.Kind)
		}
		release = s.Fences.Read(obj.ID)
		// Only now does the definition stay: it may have changed while the fence was waited for.
		if now, ok := s.Catalog.ByName(name); ok && now.ID == obj.ID {
			return now, release, nil
		}
		release()
	}
}

// create makes the stream from a sample of its first events.
func (s *Service) create(ctx context.Context, l *load) error {
	if l.sample == nil {
		return types.Errorf(types.UnknownRelation, "there is no stream or table %q", l.stream)
	}
	if !l.who.May(auth.Create, l.stream) {
		return types.Errorf(types.PermissionDenied, "there is no stream %q, and this token may not create one", l.stream).
			WithHint("create the stream first, or use a token with the scope create")
	}
	records, err := l.sample()
	if err != nil {
		return err
	}
	s.creating.Lock()
	defer s.creating.Unlock()
	if _, ok := s.Catalog.ByName(l.stream); ok {
		return nil
	}
	if n := s.Catalog.AutoStreams(); n >= s.Config.MaxAutoStreams {
		return types.Errorf(types.LimitExceeded, "stream %q was not created: first events made %d streams already, which is the limit", l.stream, n).
			WithHint("is the name a mistake? If not: CREATE STREAM %s (...)", types.QuoteIdent(l.stream))
	}
	_, l.created, err = s.Schemas.Evolve(ctx, l.who, l.stream, records)
	return err
}
