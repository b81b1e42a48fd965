package app

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/auth"
	"leat/internal/duck"
	"leat/internal/engine/zset"
	"leat/internal/pgwire"
	"leat/internal/push"
	"leat/internal/query"
	"leat/internal/types"
)

// Subscribe implements pgwire.Backend.
func (b pgBackend) Subscribe(ctx context.Context, who auth.Principal, view string, snapshot bool) (pgwire.Subscription, error) {
	sub, err := b.query.Subscribe(ctx, query.SubscribeRequest{Principal: who, Relation: view, NoSnapshot: !snapshot})
	if err != nil {
		return nil, err
	}
	return &pgSubscription{Subscription: sub, columns: sub.Columns()}, nil
}

// pgSubscription turns events into rows with weights.
type pgSubscription struct {
	*query.Subscription
	columns []types.Column
}

// Columns implements pgwire.Subscription: those with which it began.
func (s *pgSubscription) Columns() []types.Column { return s.columns }

// Close implements pgwire.Subscription.
func (s *pgSubscription) Close() error {
	s.Subscription.Close()
	return nil
}

// Next implements pgwire.Subscription.
func (s *pgSubscription) Next(ctx context.Context) (pgwire.Changes, error) {
	e, err := s.Subscription.Next(ctx)
	if err != nil {
		return pgwire.Changes{}, err
	}
	out := pgwire.Changes{Position: e.ID, Part: e.Kind == push.Snapshot && !e.Last}
	if out.Position == "" {
		out.Position = e.Position.Token()
	}
	if e.Kind == push.Reset {
		return out, types.Errorf(types.PositionGone, "the subscription has to begin anew: %s", e.Reason).WithHint("subscribe again")
	}
	if e.Rows != nil && e.Rows.N > 0 {
		out.Record, out.Diffs = recordOf(e.Rows, s.columns)
	}
	return out, nil
}

// recordOf makes a record and weights of a batch.
func recordOf(b *zset.Batch, columns []types.Column) (arrow.RecordBatch, []int64) {
	names, kinds, arrays := make([]string, len(columns)), make([]types.Type, len(columns)), make([]arrow.Array, len(columns))
	for i, c := range columns {
		names[i], kinds[i], arrays[i] = c.Name, c.Type, zset.ToArrow(b.Cols[i])
	}
	diffs := make([]int64, b.N)
	for i := range diffs {
		diffs[i] = b.Weight(i)
	}
	return duck.Record(names, kinds, arrays, b.N), diffs
}
