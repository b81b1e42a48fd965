package control

import (
	"context"
	"slices"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/infer"
	"leat/internal/types"
)

// opField is the field of a table's records that says what to do with the row; it never becomes a column.
const opField = "_op"

// Evolve makes the stream fit records (JSON objects) as far as they allow: it adds columns, widens types, or creates the stream (made is
// set). It returns the object as it is now, the same version when nothing was to be changed: concurrent requests with the same fields evolve it once.
//
// A stream made so has the event time that infer.EventTime picks and no watermark: nothing is late until somebody decides how long to wait.
// Creating takes the scope create, evolving append on the stream. The caller holds no fence.
func (c *Controller) Evolve(ctx context.Context, who auth.Principal, stream string, records [][]byte) (obj *catalog.Object, made bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.behind {
		if err := c.reconcile(ctx); err != nil {
			return nil, false, err
		}
	}
	d := c.draft()
	o := d.byName(stream)
	switch {
	case o == nil:
		if err := c.invent(d, who, stream, records); err != nil {
			return nil, false, err
		}
	case !hasLog(o):
		return nil, false, types.Errorf(types.InvalidArgument, "%q is a %s; events go to streams and tables", stream, kindOf(o))
	case !who.May(auth.Append, stream):
		return nil, false, types.Errorf(types.PermissionDenied, "this token may not append to %q", stream)
	default:
		if o.Stream.Closed {
			return o, false, nil
		}
		var skip []string
		if o.Kind == catalog.TableKind {
			skip = []string{opField}
		}
		next, grows := infer.Evolve(o.Stream.Schema, records, skip...)
		if !grows || !d.hold(o, next) {
			return o, false, nil
		}
		if err := next.Validate(); err != nil {
			return nil, false, err
		}
		n := *cloneStream(o)
		n.Stream.Schema = next
		d.replace(&n)
	}
	if err := c.commit(ctx, d.change()); err != nil {
		return nil, false, err
	}
	return c.Catalog.Snapshot().ByName(stream), o == nil, nil
}

// invent puts a stream that first events make into the draft.
func (c *Controller) invent(d *draft, who auth.Principal, stream string, records [][]byte) error {
	if !who.May(auth.Create, stream) {
		return types.Errorf(types.PermissionDenied, "there is no stream %q, and this token may not create one", stream).
			WithHint("create the stream first, or use a token with the scope create")
	}
	if err := types.CheckObjectName(stream); err != nil {
		return err
	}
	if of, _ := d.index(stream); of != nil {
		return types.Errorf(types.Conflict, "%q is an index of %q, not a stream", stream, of.Name).WithHint("send to a stream of another name")
	}
	auto := 0
	for _, o := range d.objects {
		if o.Auto {
			auto++
		}
	}
	if auto >= c.MaxAutoStreams {
		return types.Errorf(types.LimitExceeded, "stream %q was not created: first events made %d streams already, which is the limit", stream, auto).
			WithHint("is the name a mistake? If not: CREATE STREAM %s (...)", types.QuoteIdent(stream))
	}
	schema, notes := infer.Infer(records)
	if len(schema.Columns) == 0 {
		e := types.Errorf(types.InvalidRecord, "no record says what columns stream %q has", stream)
		for _, n := range notes[:min(len(notes), 10)] {
			e.Errors = append(e.Errors, n.Err)
		}
		return e.WithHint("send JSON objects with at least one value, or CREATE STREAM %s (...) first", types.QuoteIdent(stream))
	}
	if err := schema.Validate(); err != nil {
		return err
	}
	s := &catalog.Stream{Schema: schema, Partitions: 1, Time: types.TimeRule{Column: infer.EventTime(schema)}}
	d.create(&catalog.Object{Kind: catalog.StreamKind, Name: stream, Auto: true, Stream: s})
	return nil
}

// MarkWide sets Column.Wide of the columns with those IDs, durably and without a new schema version: it is no change
// of what rows look like, only of what the column may become. The caller holds no fence.
func (c *Controller) MarkWide(ctx context.Context, id types.ObjectID, columns []int32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	release := c.Fences.Write(id)
	defer release()
	_, err := c.Catalog.Update(ctx, func(tx *catalog.Tx) error {
		o := tx.Get(id)
		if o == nil || !hasLog(o) {
			return types.Errorf(types.NotFound, "there is no stream with ID %d", id)
		}
		n, changed := cloneStream(o), false
		for i := range n.Stream.Schema.Columns {
			col := &n.Stream.Schema.Columns[i]
			if !col.Wide && slices.Contains(columns, col.ID) {
				col.Wide, changed = true, true
			}
		}
		if !changed {
			return nil
		}
		return tx.Put(n)
	})
	return err
}
