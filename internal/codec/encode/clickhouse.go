package encode

import (
	"fmt"
	"strings"

	"leat/internal/types"
)

var clickHouseNames = map[types.Kind]string{
	types.Boolean: "Bool", types.TinyInt: "Int8", types.SmallInt: "Int16", types.Integer: "Int32", types.BigInt: "Int64", types.HugeInt: "Int128",
	types.UTinyInt: "UInt8", types.USmallInt: "UInt16", types.UInteger: "UInt32", types.UBigInt: "UInt64", types.Float: "Float32", types.Double: "Float64",
	types.Date: "Date32", types.Timestamp: "DateTime64(6)", types.TimestampTZ: "DateTime64(6, 'UTC')", types.UUID: "UUID", types.JSON: "JSON",
}

// ClickHouseType is ClickHouse's name of a type; String where it has none.
func ClickHouseType(t types.Type) string {
	switch t.Kind {
	case types.Decimal:
		return fmt.Sprintf("Decimal(%d, %d)", t.Precision, t.Scale)
	case types.List:
		return "Array(" + ClickHouseType(member(t.Elem)) + ")"
	case types.Map:
		return "Map(" + ClickHouseType(member(t.Key)) + ", " + ClickHouseType(member(t.Elem)) + ")"
	case types.Struct:
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			parts[i] = f.Name + " " + ClickHouseType(f.Type)
		}
		return "Tuple(" + strings.Join(parts, ", ") + ")"
	}
	if name, ok := clickHouseNames[t.Kind]; ok {
		return name
	}
	return "String"
}

// clickHouseTime writes timestamps as 2026-01-01 10:00:00 instead of 2026-01-01T10:00:00Z; what has another form stays.
func clickHouseTime(text appender) appender {
	return func(b []byte, i int) []byte {
		from := len(b)
		b = text(b, i)
		if t := b[from:]; len(t) > 10 && t[10] == 'T' {
			t[10] = ' '
			if t[len(t)-1] == 'Z' {
				b = b[:len(b)-1]
			}
		}
		return b
	}
}
