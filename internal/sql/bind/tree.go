package bind

import (
	"encoding/json"

	"leat/internal/types"
)

// The shapes of json_serialize_plan, DuckDB 1.5. One struct serves all kinds of node, and one all expressions: a field is there
// where the kind has it.

type answer struct {
	Plans []*tree `json:"plans"`
}

// tree is one node of DuckDB's bound plan.
type tree struct {
	Type       string  `json:"type"`
	Children   []*tree `json:"children"`
	TableIndex uint64  `json:"table_index"`
	// Expressions are bound expressions; of LOGICAL_EXPRESSION_GET, lists of them.
	Expressions json.RawMessage `json:"expressions"`
	// ProjectionMap are the input columns that a filter or a sort passes on, if not all.
	ProjectionMap []int `json:"projection_map"`

	// LOGICAL_GET
	Name          string          `json:"name"`
	FunctionData  json.RawMessage `json:"function_data"`
	ColumnIndexes []struct {
		Index        uint64            `json:"index"`
		ChildIndexes []json.RawMessage `json:"child_indexes"`
	} `json:"column_indexes"`
	ProjectionIDs []int `json:"projection_ids"`

	// Joins
	JoinType   string      `json:"join_type"`
	Conditions []condition `json:"conditions"`
	Condition  *expression `json:"condition"`
	// Correlated are the left columns whose distinct values LOGICAL_DELIM_GET reads.
	Correlated []*expression `json:"duplicate_eliminated_columns"`
	LeftMap    []int         `json:"left_projection_map"`
	RightMap   []int         `json:"right_projection_map"`
	Flipped    bool          `json:"delim_flipped"`

	// LOGICAL_AGGREGATE_AND_GROUP_BY
	Groups            []*expression `json:"groups"`
	GroupingSets      [][]int       `json:"grouping_sets"`
	GroupingFunctions [][]int       `json:"grouping_functions"`

	// LOGICAL_DISTINCT, LOGICAL_ORDER_BY, LOGICAL_LIMIT
	DistinctType string        `json:"distinct_type"`
	Targets      []*expression `json:"distinct_targets"`
	OrderBy      *orders       `json:"order_by"`
	Orders       []orderItem   `json:"orders"`
	Limit        limit         `json:"limit_val"`
	Offset       limit         `json:"offset_val"`

	// Set operations and CTEs
	All      bool       `json:"setop_all"`
	CTE      uint64     `json:"cte_index"`
	Chunk    []typeInfo `json:"chunk_types"`
	Bound    []string   `json:"bound_columns"`
	CTEName  string     `json:"ctename"`
	RowTypes []typeInfo `json:"expr_types"`
	// Returned are the types of LOGICAL_EMPTY_RESULT.
	Returned []typeInfo `json:"return_types"`
}

type condition struct {
	Left       *expression `json:"left"`
	Right      *expression `json:"right"`
	Comparison string      `json:"comparison"`
}

type limit struct {
	Type       string      `json:"type"`
	Constant   int64       `json:"constant_integer"`
	Expression *expression `json:"expression"`
}

type orders struct {
	Orders []orderItem `json:"orders"`
}

type orderItem struct {
	Type       string      `json:"type"`
	NullOrder  string      `json:"null_order"`
	Expression *expression `json:"expression"`
}

// expression is one bound expression.
type expression struct {
	Class string `json:"expression_class"`
	Type  string `json:"type"`
	Alias string `json:"alias"`
	// Location is a byte offset in the planned text, noLocation where DuckDB kept none.
	Location uint64    `json:"query_location"`
	Return   *typeInfo `json:"return_type"`

	Index int `json:"index"`
	// Identifier is a parameter's name.
	Identifier string          `json:"identifier"`
	Value      *value          `json:"value"`
	Left       *expression     `json:"left"`
	Right      *expression     `json:"right"`
	Child      *expression     `json:"child"`
	Children   []*expression   `json:"children"`
	Name       string          `json:"name"`
	Data       json.RawMessage `json:"function_data"`
	Try        bool            `json:"try_cast"`
	// Original are the types of the arguments as called, where binding took some away into Data.
	Original []typeInfo `json:"original_arguments"`

	Checks []caseCheck `json:"case_checks"`
	Else   *expression `json:"else_expr"`

	Input          *expression `json:"input"`
	Lower          *expression `json:"lower"`
	Upper          *expression `json:"upper"`
	LowerInclusive bool        `json:"lower_inclusive"`
	UpperInclusive bool        `json:"upper_inclusive"`

	// Aggregates and OVER
	AggregateType string        `json:"aggregate_type"`
	Filter        *expression   `json:"filter"`
	OrderBys      *orders       `json:"order_bys"`
	Partitions    []*expression `json:"partitions"`
	Orders        []orderItem   `json:"orders"`
	Distinct      bool          `json:"distinct"`
}

type caseCheck struct {
	When *expression `json:"when_expr"`
	Then *expression `json:"then_expr"`
}

// noLocation is DuckDB's unknown place.
const noLocation = 1<<64 - 1

// value is a constant.
type value struct {
	Type typeInfo        `json:"type"`
	Null bool            `json:"is_null"`
	Raw  json.RawMessage `json:"value"`
}

// typeInfo is a DuckDB type.
type typeInfo struct {
	ID   string `json:"id"`
	Info *struct {
		Alias    string    `json:"alias"`
		Width    uint8     `json:"width"`
		Scale    uint8     `json:"scale"`
		Child    *typeInfo `json:"child_type"`
		Children []struct {
			Name string   `json:"first"`
			Type typeInfo `json:"second"`
		} `json:"child_types"`
	} `json:"type_info"`
}

var kinds = map[string]types.Kind{
	"BOOLEAN": types.Boolean, "TINYINT": types.TinyInt, "SMALLINT": types.SmallInt, "INTEGER": types.Integer, "BIGINT": types.BigInt,
	"HUGEINT": types.HugeInt, "UTINYINT": types.UTinyInt, "USMALLINT": types.USmallInt, "UINTEGER": types.UInteger, "UBIGINT": types.UBigInt,
	"FLOAT": types.Float, "DOUBLE": types.Double, "VARCHAR": types.Varchar, "CHAR": types.Varchar, "BLOB": types.Blob, "DATE": types.Date,
	"TIME": types.Time, "TIMESTAMP": types.Timestamp, "TIMESTAMP WITH TIME ZONE": types.TimestampTZ, "TIMESTAMP_TZ": types.TimestampTZ,
	"INTERVAL": types.Interval, "UUID": types.UUID,
	// A NULL that nothing gave a type; DuckDB makes a column of it INTEGER.
	"NULL": types.Integer, "SQLNULL": types.Integer,
	"INTEGER_LITERAL": types.Integer, "STRING_LITERAL": types.Varchar,
}

// typeOf translates a type; false where the engine has none like it.
func (t *typeInfo) typeOf() (types.Type, bool) {
	switch t.ID {
	case "DECIMAL":
		return types.DecimalOf(t.Info.Width, t.Info.Scale), true
	case "LIST":
		if t.Info == nil || t.Info.Child == nil {
			return types.Type{}, false
		}
		e, ok := t.Info.Child.typeOf()
		return types.ListOf(e), ok
	case "STRUCT":
		return t.structure()
	case "MAP":
		return t.mapping()
	}
	if t.Info != nil && t.Info.Alias == "JSON" {
		return types.Of(types.JSON), true
	}
	k, ok := kinds[t.ID]
	return types.Of(k), ok
}

func (t *typeInfo) structure() (types.Type, bool) {
	if t.Info == nil || len(t.Info.Children) == 0 {
		return types.Type{}, false
	}
	fields := make([]types.Field, len(t.Info.Children))
	for i, c := range t.Info.Children {
		ft, ok := c.Type.typeOf()
		if !ok {
			return types.Type{}, false
		}
		fields[i] = types.Field{Name: c.Name, Key: c.Name, Type: ft}
	}
	return types.StructOf(fields...), true
}

// mapping reads a MAP, which DuckDB holds as a list of structs key and value.
func (t *typeInfo) mapping() (types.Type, bool) {
	if t.Info == nil || t.Info.Child == nil {
		return types.Type{}, false
	}
	entry, ok := t.Info.Child.structure()
	if !ok || len(entry.Fields) != 2 {
		return types.Type{}, false
	}
	return types.MapOf(entry.Fields[0].Type, entry.Fields[1].Type), true
}
