package control

import (
	"context"
	"fmt"
	"slices"
	"time"

	"leat/internal/catalog"
	"leat/internal/types"
)

// undoTimeout bounds putting things back after a failure; the request's own context may have ended.
const undoTimeout = 30 * time.Second

// fence takes the write fences of the streams that a change touches, in the order of their IDs.
func (c *Controller) fence(ch *change) (release func()) {
	var ids []types.ObjectID
	for _, o := range append(slices.Clone(ch.put), ch.drop...) {
		if hasLog(o) && o.ID < provisional {
			ids = append(ids, o.ID)
		}
	}
	slices.Sort(ids)
	var releases []func()
	for _, id := range ids {
		releases = append(releases, c.Fences.Write(id))
	}
	return func() {
		for _, r := range slices.Backward(releases) {
			r()
		}
	}
}

// commit makes a checked change durable and brings log and store along. The caller holds mu.
func (c *Controller) commit(ctx context.Context, ch *change) error {
	release := c.fence(ch)
	defer release()
	converted, err := c.convert(ctx, ch)
	if err != nil {
		return err
	}
	created, err := c.record(ctx, ch)
	defer func() {
		for _, r := range created {
			r()
		}
	}()
	if err != nil {
		if converted {
			c.behind = true
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
			defer cancel()
			return c.report(err, c.reconcile(undo))
		}
		return err
	}
	if err := c.apply(ctx, ch); err != nil {
		c.behind = true
		return c.undo(ctx, ch, err)
	}
	return nil
}

// record runs the catalog's transaction. It numbers new objects, and fences new streams before anybody can see them.
func (c *Controller) record(ctx context.Context, ch *change) (releases []func(), err error) {
	_, err = c.Catalog.Update(ctx, func(tx *catalog.Tx) error {
		number(ch.put, tx.NewID)
		for _, o := range ch.put {
			if hasLog(o) && ch.before[o.ID] == nil {
				releases = append(releases, c.Fences.Write(o.ID))
			}
		}
		for _, o := range ch.drop {
			if err := tx.Delete(o.ID); err != nil {
				return err
			}
		}
		return putAll(tx, ch.put)
	})
	return releases, err
}

// putAll puts objects that may take names from each other: those that change theirs give it up first.
func putAll(tx *catalog.Tx, objects []*catalog.Object) error {
	for _, o := range objects {
		old := tx.Get(o.ID)
		if old == nil || old.Name == o.Name {
			continue
		}
		aside := *o
		for n := 0; n == 0 || tx.ByName(aside.Name) != nil; n++ {
			aside.Name = fmt.Sprintf("renamed_%d", n)
		}
		if err := tx.Put(&aside); err != nil {
			return err
		}
	}
	for _, o := range objects {
		if err := tx.Put(o); err != nil {
			return err
		}
	}
	return nil
}

// number gives new objects their final IDs, also where others of them refer to them.
func number(objects []*catalog.Object, newID func() types.ObjectID) {
	final := map[types.ObjectID]types.ObjectID{}
	for _, o := range objects {
		if o.ID >= provisional {
			final[o.ID] = newID()
			o.ID = final[o.ID]
		}
	}
	for _, o := range objects {
		for i, id := range o.DependsOn {
			if n, ok := final[id]; ok {
				o.DependsOn[i] = n
			}
		}
		if !o.Continuous() {
			continue
		}
		for i, in := range o.View.Materialized.Inputs {
			if n, ok := final[in.ID]; ok {
				o.View.Materialized.Inputs[i].ID = n
			}
		}
	}
}

// apply brings log and store to what the catalog now says.
func (c *Controller) apply(ctx context.Context, ch *change) error {
	var gone []types.ObjectID
	for _, o := range ch.drop {
		if o.Kind != catalog.EndpointKind {
			gone = append(gone, o.ID)
		}
	}
	if len(gone) > 0 {
		if err := c.Store.Drop(ctx, gone); err != nil {
			return err
		}
	}
	for _, o := range ch.put {
		if hasLog(o) {
			if err := c.Log.Configure(ctx, logConfig(o)); err != nil {
				return err
			}
		}
	}
	defined, err := c.relations(ctx, ordered(append(slices.Clone(ch.put), ch.redefine...)), ch.draft)
	if err != nil {
		return err
	}
	if len(defined) > 0 {
		if err := c.Store.Define(ctx, defined); err != nil {
			return err
		}
	}
	if err := c.setViews(ctx); err != nil {
		return err
	}
	for _, o := range ch.drop {
		if hasLog(o) {
			if err := c.Log.Drop(ctx, o.ID); err != nil && !types.HasCode(err, types.NotFound) {
				return err
			}
			c.Fences.Forget(o.ID)
		}
	}
	return nil
}

// undo puts the catalog back after log or store refused a committed change, and reconciles. What a script dropped
// may be gone already, and partitions never become fewer, so with those it goes forward only.
func (c *Controller) undo(ctx context.Context, ch *change, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if len(ch.drop) > 0 || slices.ContainsFunc(ch.put, ch.grows) {
		return committed(cause)
	}
	_, err := c.Catalog.Update(ctx, func(tx *catalog.Tx) error {
		var back []*catalog.Object
		for _, o := range ch.put {
			if before := ch.before[o.ID]; before != nil {
				back = append(back, before)
			} else if err := tx.Delete(o.ID); err != nil {
				return err
			}
		}
		return putAll(tx, back)
	})
	if err != nil {
		return committed(cause)
	}
	return c.report(cause, c.reconcile(ctx))
}

// grows reports whether a stream gets more partitions.
func (c *change) grows(o *catalog.Object) bool {
	before := c.before[o.ID]
	return before != nil && hasLog(o) && o.Stream.Partitions > before.Stream.Partitions
}

// report adds to the error of a refused change that what was done could not be put back yet.
func (c *Controller) report(cause, undone error) error {
	if undone == nil {
		return cause
	}
	return types.Errorf(types.AsError(cause).Code, "%w (the store still has to be put back: %v)", cause, undone).
		WithHint("nothing of the script counts; the store is mended by the next statement or start")
}

func committed(cause error) error {
	return types.Errorf(types.Unavailable, "the definitions are changed, but the log or the store could not follow yet: %w", cause).
		WithHint("don't repeat the statement: the next one, or the next start, finishes it")
}
