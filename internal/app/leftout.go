package app

import (
	"context"
	"slices"
	"time"

	"leat/internal/bus"
	"leat/internal/ingest"
	"leat/internal/pipeline"
	"leat/internal/types"
)

// leftOut keeps the rows that views left out as dead letters. It implements pipeline.Letters.
type leftOut struct{ server *server }

// Append implements pipeline.Letters. Rows of a view that was dropped meanwhile are forgotten with it. A row that came back after an expression had
// failed for it is no letter: those that tell of the failure stay.
func (l leftOut) Append(ctx context.Context, epoch bus.Epoch, letters []pipeline.Letter) error {
	byView := map[types.ObjectID][]ingest.LeftOut{}
	var order []types.ObjectID
	for _, x := range letters {
		if x.Weight <= 0 {
			continue
		}
		if byView[x.View] == nil {
			order = append(order, x.View)
		}
		reason := types.DataError
		if x.Kind == "late" {
			reason = ingest.LateRow
		}
		byView[x.View] = append(byView[x.View], ingest.LeftOut{Reason: reason, Message: x.Reason, Record: x.Record, At: time.UnixMicro(x.At)})
	}
	slices.Sort(order)
	for _, id := range order {
		o := l.server.catalog.Snapshot().ByID(id)
		if o == nil {
			continue
		}
		// Each view is a producer of its own, so that one append a view is refused when it is repeated.
		if err := l.server.ingest.KeepLeftOut(ctx, o, bus.Epoch{Producer: id, Epoch: epoch.Epoch}, byView[id]); err != nil {
			return err
		}
	}
	return nil
}
