package plan

import "leat/internal/types"

// Field is one output column of a node.
type Field struct {
	Name string
	Type types.Type
}

// Node is one relational operator. Nodes are immutable once built and may be shared: the same pointer in two places is a common sub-plan,
// and is run once.
type Node interface {
	// Fields are the output columns.
	Fields() []Field
	// Inputs are the nodes below, in order.
	Inputs() []Node
	// With returns a copy of the node over other inputs of the same width and types.
	With(inputs ...Node) Node
}

// RelationKind says what a scanned relation is.
type RelationKind uint8

const (
	// StreamRelation is append-only, TableRelation keyed rows (the engine turns its change log into retractions and insertions),
	// ViewRelation a materialized view.
	StreamRelation RelationKind = iota
	TableRelation
	ViewRelation
)

// Relation is what plans know of something that can be scanned.
type Relation struct {
	ID   types.ObjectID
	Name string
	Kind RelationKind
	// Schema is the version that the plan is bound to.
	Schema *types.Schema
	// Key are the IDs of a table's key columns. VersionColumn is 0 for none.
	Key           []int32
	VersionColumn int32
	Time          types.TimeRule
	Partitions    uint32
	PartitionBy   []int32
	// Facts of a materialized view's output, positions in Schema.Columns; nil for others.
	View *Props
}

// System columns that a Scan can add after its Columns; all are those that the log stamped (DESIGN 3).
type System uint8

const (
	// Watermark is the row's _wm, TIMESTAMP (µs; types.NoWatermark before the first).
	Watermark System = iota
	// ReceivedAt is the row's _at, TIMESTAMPTZ.
	ReceivedAt
	// Partition (INTEGER) and Offset (UBIGINT) say where the row is in the log.
	Partition
	Offset
)

// Scan reads a relation. Its output is Columns (positions in Relation.Schema.Columns), then System.
type Scan struct {
	Relation *Relation
	Columns  []int
	System   []System
	Out      []Field
}

// Values are constant rows; each expression is without columns.
type Values struct {
	Rows [][]*Expr
	Out  []Field
}

// Filter keeps the rows for which Cond is true.
type Filter struct {
	Input Node
	Cond  *Expr
	// Late marks a test of lateness: what it drops is counted and kept as late rows.
	Late bool
}

// Project computes one column per expression.
type Project struct {
	Input Node
	Exprs []*Expr
	Out   []Field
}

// JoinKind is the kind of a join.
type JoinKind uint8

const (
	Inner JoinKind = iota
	Left
	Right
	Full
	// Semi keeps left rows that have a match, Anti those that have none.
	Semi
	Anti
	// Mark adds one BOOLEAN column to the left rows: is there a match, NULL where it cannot be known (x IN (...) with NULLs).
	Mark
	// Single is a left join whose right side has at most one match per left row; more is an error of the row (scalar subqueries).
	Single
)

// Join matches rows of L and R where all Keys are equal and Residual is true. Output: L's columns, then R's (inner, outer, single); L's
// alone (semi, anti); L's and the mark. Without Keys and Residual an inner join is the cross product.
type Join struct {
	Kind JoinKind
	L, R Node
	Keys []JoinKey
	// Residual is over L's columns, then R's; nil is true.
	Residual *Expr
	// Band is set by sql/opt where the condition bounds the distance of two event times.
	Band *Band
	Out  []Field
}

// JoinKey is one equality. Left is over L's columns, Right over R's, both of one type. NullSafe is IS NOT DISTINCT FROM.
type JoinKey struct {
	Left, Right *Expr
	NullSafe    bool
}

// Band says Lower <= R.RightTime - L.LeftTime <= Upper in µs, part of the join's condition.
type Band struct {
	LeftTime, RightTime int
	Lower, Upper        int64
}

// Aggregate groups by Groups and computes Aggs; its output is the groups, then the aggregates. Without Groups there is always one row.
// Without Aggs it is DISTINCT.
type Aggregate struct {
	Input  Node
	Groups []*Expr
	Aggs   []Agg
	Out    []Field
	// Global is set where there was no GROUP BY: one row even for empty input.
	Global bool
}

// Agg is one aggregate function: count_star, count, sum, avg, min, max, bool_and, ... as DuckDB names it.
type Agg struct {
	Name     string
	Args     []*Expr
	Distinct bool
	// Filter is nil for all rows.
	Filter *Expr
	// Order is for first, list and the like.
	Order []SortKey
	Type  types.Type
}

// SortKey orders by an expression.
type SortKey struct {
	Expr       *Expr
	Desc       bool
	NullsFirst bool
}

// Union is UNION ALL of inputs with the same column types.
type Union struct {
	Sources []Node
	Out     []Field
}

// Ranking is which number a TopN gives.
type Ranking uint8

const (
	RowNumber Ranking = iota
	Rank
	DenseRank
)

// TopN ranks the rows of each partition by Order (ties: the remaining input columns in order, ascending, NULLS LAST, unless Ranking
// is Rank or DenseRank) and keeps those with Offset < rank <= Offset+Limit. Limit < 0 is without end.
type TopN struct {
	Input     Node
	Partition []*Expr
	Order     []SortKey
	Ranking   Ranking
	Limit     int64
	Offset    int64
	// LimitBy and OffsetBy, if set, give Limit and Offset when the query runs: BIGINT, without columns. A LimitBy that is NULL is no limit. Only
	// queries that are read once have them (bind.BindQuery).
	LimitBy, OffsetBy *Expr
	// Number adds the rank as a last BIGINT column.
	Number bool
	Out    []Field
}

// WindowKind is a way of assigning rows to windows.
type WindowKind uint8

const (
	Tumble WindowKind = iota
	Hop
	Cumulate
	Session
	CountWindow
)

// Window is a table function of the dialect: each input row once per window that it is in, with window_start and window_end added (for
// CountWindow BIGINT row numbers, else of the time column's type).
type Window struct {
	Kind  WindowKind
	Input Node
	// Time is the position of the time column; CountWindow has -1.
	Time int
	// Size, Slide (Hop's slide, Cumulate's step), Gap (Session's) and Origin (an offset) are µs. Rows is CountWindow's n.
	Size, Slide, Gap, Origin int64
	Rows                     int64
	// Keys are the positions that Session and CountWindow go by.
	Keys []int
	Out  []Field
}

// EmitOnClose holds rows back until the window in column Time (one that carries a watermark) has closed.
type EmitOnClose struct {
	Input Node
	Time  int
}

func (n *Scan) Fields() []Field        { return n.Out }
func (n *Values) Fields() []Field      { return n.Out }
func (n *Filter) Fields() []Field      { return n.Input.Fields() }
func (n *Project) Fields() []Field     { return n.Out }
func (n *Join) Fields() []Field        { return n.Out }
func (n *Aggregate) Fields() []Field   { return n.Out }
func (n *Union) Fields() []Field       { return n.Out }
func (n *TopN) Fields() []Field        { return n.Out }
func (n *Window) Fields() []Field      { return n.Out }
func (n *EmitOnClose) Fields() []Field { return n.Input.Fields() }

func (n *Scan) Inputs() []Node        { return nil }
func (n *Values) Inputs() []Node      { return nil }
func (n *Filter) Inputs() []Node      { return []Node{n.Input} }
func (n *Project) Inputs() []Node     { return []Node{n.Input} }
func (n *Join) Inputs() []Node        { return []Node{n.L, n.R} }
func (n *Aggregate) Inputs() []Node   { return []Node{n.Input} }
func (n *Union) Inputs() []Node       { return n.Sources }
func (n *TopN) Inputs() []Node        { return []Node{n.Input} }
func (n *Window) Inputs() []Node      { return []Node{n.Input} }
func (n *EmitOnClose) Inputs() []Node { return []Node{n.Input} }

func (n *Scan) With(...Node) Node           { return n }
func (n *Values) With(...Node) Node         { return n }
func (n *Filter) With(in ...Node) Node      { c := *n; c.Input = in[0]; return &c }
func (n *Project) With(in ...Node) Node     { c := *n; c.Input = in[0]; return &c }
func (n *Join) With(in ...Node) Node        { c := *n; c.L, c.R = in[0], in[1]; return &c }
func (n *Aggregate) With(in ...Node) Node   { c := *n; c.Input = in[0]; return &c }
func (n *Union) With(in ...Node) Node       { c := *n; c.Sources = in; return &c }
func (n *TopN) With(in ...Node) Node        { c := *n; c.Input = in[0]; return &c }
func (n *Window) With(in ...Node) Node      { c := *n; c.Input = in[0]; return &c }
func (n *EmitOnClose) With(in ...Node) Node { c := *n; c.Input = in[0]; return &c }

// SystemType is the type of a system column.
func SystemType(s System) types.Type {
	switch s {
	case Watermark:
		return types.Of(types.Timestamp)
	case ReceivedAt:
		return types.Of(types.TimestampTZ)
	case Partition:
		return types.Of(types.Integer)
	default:
		return types.Of(types.UBigInt)
	}
}
