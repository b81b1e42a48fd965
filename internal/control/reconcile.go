package control

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"leat/internal/bus"
	"leat/internal/types"
)

// relationLister is a store that can tell which relations it has, those without rows included.
type relationLister interface{ Relations() []types.ObjectID }

// Start brings log and store into agreement with the catalog: it configures every stream, defines every relation and drops
// what the catalog no longer has. It may be called again at any time and then changes nothing.
func (c *Controller) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reconcile(ctx)
}

// reconcile is Start for who holds mu.
func (c *Controller) reconcile(ctx context.Context) error {
	objects := ordered(append(slices.Clone(c.BuiltIn), c.Catalog.Snapshot().All()...))
	known := make(map[types.ObjectID]bool, len(objects))
	for _, o := range objects {
		known[o.ID] = true
	}
	if gone := c.orphans(known); len(gone) > 0 {
		if err := c.Store.Drop(ctx, gone); err != nil {
			return fmt.Errorf("drop relations %v, which the catalog no longer has: %w", gone, err)
		}
		for _, id := range gone {
			if err := c.Log.Drop(ctx, id); err != nil && !types.HasCode(err, types.NotFound) {
				return fmt.Errorf("drop stream %d, which the catalog no longer has: %w", id, err)
			}
		}
	}
	for _, o := range objects {
		if !hasLog(o) {
			continue
		}
		if err := c.Log.Configure(ctx, logConfig(o)); err != nil {
			return fmt.Errorf("configure the log of %s: %w", o.Name, err)
		}
	}
	defined, err := c.relations(ctx, objects, c.draft())
	if err != nil {
		return err
	}
	if err := c.Store.Define(ctx, defined); err != nil {
		return fmt.Errorf("define the store's relations: %w", err)
	}
	if err := c.setViews(ctx); err != nil {
		return fmt.Errorf("start the materialized views: %w", err)
	}
	c.behind = false
	return nil
}

// orphans are the IDs in log or store that are not known, sorted.
func (c *Controller) orphans(known map[types.ObjectID]bool) []types.ObjectID {
	gone := map[types.ObjectID]bool{}
	for _, position := range []types.Position{c.Log.Position(), c.Store.Loaded()} {
		for _, cursor := range position.Cursors {
			gone[cursor.Partition.Stream] = true
		}
	}
	if l, ok := c.Store.(relationLister); ok {
		for _, id := range l.Relations() {
			gone[id] = true
		}
	}
	delete(gone, bus.Clock.Stream)
	maps.DeleteFunc(gone, func(id types.ObjectID, _ bool) bool { return known[id] })
	return slices.Sorted(maps.Keys(gone))
}
