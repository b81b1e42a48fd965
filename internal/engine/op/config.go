package op

import (
	"leat/internal/engine/expr"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/types"
)

// Tables gives an operator its arrangements: each call returns the operator's next one, in the same order at every start.
type Tables func() state.Table

// Clock is a key column that carries a watermark: state whose time is final is freed. The zero value has Key -1 set by NoClock.
type Clock struct {
	// Key is the position among the operator's keys (groups, join keys, partition), -1 for none. It is a TIMESTAMP or TIMESTAMPTZ.
	Key int
	// Delay µs: state is final once time + Delay <= watermark (a window's start has its size as delay; slack adds to it).
	Delay int64
}

// NoClock is an operator whose state lives as long as its input.
var NoClock = Clock{Key: -1}

// JoinConfig configures NewJoin. Keys are input columns: lowering computes key expressions in projections before.
type JoinConfig struct {
	Kind plan.JoinKind
	// LeftTypes and RightTypes are the inputs' columns.
	LeftTypes, RightTypes []types.Type
	// LeftKeys and RightKeys are positions, pairwise equal; NullSafe per key.
	LeftKeys, RightKeys []int
	NullSafe            []bool
	// Residual is over the left's columns, then the right's; nil is true.
	Residual *expr.Program
	Band     *plan.Band
	// Clock frees both sides' state by a key. With Band, LeftSlack and RightSlack say how far behind the watermark times may still come.
	Clock                 Clock
	LeftSlack, RightSlack int64
	// LeftAppendOnly and RightAppendOnly promise that no row of that input is ever retracted.
	LeftAppendOnly, RightAppendOnly bool
}

// AggregateConfig configures NewAggregate. Groups and arguments are input columns.
type AggregateConfig struct {
	Types  []types.Type
	Groups []int
	Aggs   []AggConfig
	// Global makes one row also for empty input.
	Global bool
	Clock  Clock
	// AppendOnly promises that no input row is ever retracted: min and max then keep one value.
	AppendOnly bool
}

// AggConfig is one aggregate.
type AggConfig struct {
	// Name is DuckDB's: count_star, count, sum, avg, min, max, bool_and, bool_or, ...
	Name     string
	Args     []int
	Distinct bool
	// Filter is a BOOLEAN input column, -1 for none.
	Filter int
	Type   types.Type
}

// Order sorts by an input column.
type Order struct {
	Column     int
	Desc       bool
	NullsFirst bool
}

// TopNConfig configures NewTopN; the fields are plan.TopN's over input columns.
type TopNConfig struct {
	Types         []types.Type
	Partition     []int
	Order         []Order
	Ranking       plan.Ranking
	Limit, Offset int64
	Number        bool
	Clock         Clock
	AppendOnly    bool
}
