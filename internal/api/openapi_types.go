package api

import (
	"leat/internal/types"
)

// valueSchema is the JSON Schema of a value in an answer, which may be NULL unless the column says otherwise.
func valueSchema(t types.Type, notNull bool) object {
	s := typeSchema(t)
	if notNull || s["type"] == nil {
		return s
	}
	switch kind := s["type"].(type) {
	case string:
		s["type"] = []string{kind, "null"}
	case []string:
		s["type"] = append(kind, "null")
	}
	return s
}

// typeSchema is the JSON Schema of a value on the wire that is not NULL. Its title is the SQL type.
func typeSchema(t types.Type) object {
	s := bareSchema(t)
	s["title"] = t.String()
	return s
}

func bareSchema(t types.Type) object {
	switch k := t.Kind; {
	case k == types.Boolean:
		return object{"type": "boolean"}
	case k.IsInteger() && k != types.HugeInt:
		return integerSchema(k)
	case k == types.Float || k == types.Double:
		return object{"type": []string{"number", "string"}, "format": "double", "description": "NaN and the infinities are strings."}
	case k == types.HugeInt:
		return object{"type": "string", "pattern": "^-?[0-9]+$"}
	case k == types.Decimal:
		return object{"type": "string", "pattern": `^-?[0-9]+(\.[0-9]+)?$`}
	case k == types.Date:
		return object{"type": "string", "examples": []string{"2024-01-31"}}
	case k == types.TimestampTZ:
		return object{"type": "string", "examples": []string{"2024-01-31T12:00:00.000000Z"}}
	case k == types.Timestamp:
		return object{"type": "string", "examples": []string{"2024-01-31T12:00:00.000000"}}
	case k == types.UUID:
		return object{"type": "string", "format": "uuid"}
	case k == types.Blob:
		return object{"type": "string", "contentEncoding": "base64"}
	case k == types.List:
		return object{"type": "array", "items": valueSchema(*t.Elem, false)}
	case k == types.Struct:
		properties := object{}
		for _, f := range t.Fields {
			properties[f.Name] = valueSchema(f.Type, false)
		}
		return object{"type": "object", "properties": properties}
	case k == types.Map && t.Key.Kind == types.Varchar:
		return object{"type": "object", "additionalProperties": valueSchema(*t.Elem, false)}
	case k == types.Map:
		return object{"type": "array", "items": object{"type": "object",
			"properties": object{"key": valueSchema(*t.Key, true), "value": valueSchema(*t.Elem, false)}}}
	case k == types.JSON:
		return object{}
	}
	return object{"type": "string"}
}

// integerBits are the widths of integers that JSON numbers hold, negative ones unsigned.
var integerBits = map[types.Kind]int{
	types.TinyInt: 8, types.SmallInt: 16, types.Integer: 32, types.BigInt: 64,
	types.UTinyInt: -8, types.USmallInt: -16, types.UInteger: -32, types.UBigInt: -64,
}

func integerSchema(k types.Kind) object {
	switch bits := integerBits[k]; bits {
	case 64:
		return object{"type": "integer", "format": "int64"}
	case -64:
		return object{"type": "integer", "format": "uint64", "minimum": 0}
	case 32:
		return object{"type": "integer", "format": "int32"}
	default:
		if bits < 0 {
			return object{"type": "integer", "minimum": 0, "maximum": int64(1)<<-bits - 1}
		}
		return object{"type": "integer", "minimum": -(int64(1) << (bits - 1)), "maximum": int64(1)<<(bits-1) - 1}
	}
}

// rowSchema is that of a row as an object.
func rowSchema(columns []Column) object {
	properties, required := object{}, []string{}
	for _, c := range columns {
		if _, twice := properties[c.Name]; !twice {
			required = append(required, c.Name)
		}
		properties[c.Name] = valueSchema(c.Type, c.NotNull || c.PrimaryKey)
	}
	return object{"type": "object", "properties": properties, "required": required}
}

// argumentSchema is that of a value that a caller sends for a parameter.
func argumentSchema(p Param) object {
	s := typeSchema(p.Type)
	if kind, ok := s["type"].([]string); ok { // numbers are sent as numbers
		s["type"] = kind[0]
		delete(s, "description")
	}
	switch p.Type.Kind {
	case types.Date:
		s["format"] = "date"
	case types.TimestampTZ:
		s["format"] = "date-time"
	}
	if p.Default != nil {
		s["description"] = "By default " + *p.Default + "."
		if v, ok := defaultValue(p); ok {
			s["default"] = v
		}
	}
	return s
}
