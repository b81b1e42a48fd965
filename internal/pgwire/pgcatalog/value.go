package pgcatalog

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	pgx "github.com/jackc/pgx/v5/pgtype"

	"leat/internal/pgwire/pgtype"
	"leat/internal/types"
)

// valueAt copies one value of a record: nil, bool, int64, float64, string, []byte, time.Time, pgx.Interval, or []any of a list or struct.
func valueAt(a arrow.Array, i int) (any, error) {
	if a.IsNull(i) {
		return nil, nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i), nil
	case *array.Int8:
		return int64(a.Value(i)), nil
	case *array.Int16:
		return int64(a.Value(i)), nil
	case *array.Int32:
		return int64(a.Value(i)), nil
	case *array.Int64:
		return a.Value(i), nil
	case *array.Uint8:
		return int64(a.Value(i)), nil
	case *array.Uint16:
		return int64(a.Value(i)), nil
	case *array.Uint32:
		return int64(a.Value(i)), nil
	case *array.Float32:
		return float64(a.Value(i)), nil
	case *array.Float64:
		return a.Value(i), nil
	case *array.String:
		return strings.Clone(a.Value(i)), nil
	case *array.Binary:
		return append([]byte{}, a.Value(i)...), nil
	case *array.Date32:
		return a.Value(i).ToTime(), nil
	case *array.Timestamp:
		return time.UnixMicro(int64(a.Value(i))).UTC(), nil
	case *array.Decimal128:
		return a.Value(i).ToString(a.DataType().(*arrow.Decimal128Type).Scale), nil
	case *array.MonthDayNanoInterval:
		v := a.Value(i)
		return pgx.Interval{Months: v.Months, Days: v.Days, Microseconds: v.Nanoseconds / 1000, Valid: true}, nil
	case *array.List:
		start, end := a.ValueOffsets(i)
		return elements(a.ListValues(), int(start), int(end))
	case *array.Struct:
		out := make([]any, a.NumField())
		for j := range out {
			v, err := valueAt(a.Field(j), i)
			if err != nil {
				return nil, err
			}
			out[j] = v
		}
		return out, nil
	}
	return a.ValueStr(i), nil
}

func elements(a arrow.Array, from, to int) (any, error) {
	out := make([]any, 0, to-from)
	for i := from; i < to; i++ {
		v, err := valueAt(a, i)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// encode writes one value.
func (r *Result) encode(buf []byte, row, column int, format int16) ([]byte, bool, error) {
	v := r.rows[row][column]
	if v == nil {
		return buf, true, nil
	}
	oid := r.columns[column].OID
	if format == 0 {
		return append(buf, r.text(oid, v)...), false, nil
	}
	out, err := r.binary(buf, oid, v)
	return out, false, err
}

// text is a value as PostgreSQL prints it.
func (r *Result) text(oid uint32, v any) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "t"
		}
		return "f"
	case int64:
		return r.integerText(oid, v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return v
	case []byte:
		return fmt.Sprintf(`\x%x`, v)
	case time.Time:
		return timeText(oid, v)
	case []any:
		return r.listText(oid, v)
	case pgx.Interval:
		return intervalText(v)
	}
	return fmt.Sprint(v)
}

func (r *Result) integerText(oid uint32, v int64) string {
	switch oid {
	case oidRegclass:
		return r.image.className(v)
	case oidRegtype:
		return typeTitle(v)
	case oidRegproc, oidRegprocedure:
		return procTitle(v)
	case oidRegnamespace:
		return namespaceTitle(v)
	case oidRegrole:
		if v == oidOwner {
			return ownerName
		}
	}
	return itoa(v)
}

func timeText(oid uint32, t time.Time) string {
	switch oid {
	case pgtype.Date:
		return t.Format("2006-01-02")
	case pgtype.Timestamp:
		return t.Format("2006-01-02 15:04:05.999999")
	}
	return t.Format("2006-01-02 15:04:05.999999+00")
}

func intervalText(v pgx.Interval) string {
	var parts []string
	if v.Months != 0 {
		parts = append(parts, fmt.Sprintf("%d mons", v.Months))
	}
	if v.Days != 0 {
		parts = append(parts, fmt.Sprintf("%d days", v.Days))
	}
	d := time.Duration(v.Microseconds) * time.Microsecond
	if d != 0 || len(parts) == 0 {
		parts = append(parts, fmt.Sprintf("%02d:%02d:%09.6f", int(d.Hours()), int(d.Minutes())%60, (d%time.Minute).Seconds()))
	}
	return strings.Join(parts, " ")
}

// listText prints arrays, vectors and records.
func (r *Result) listText(oid uint32, list []any) string {
	element, vector, open, end := elementOf(oid), false, "{", "}"
	switch oid {
	case oidInt2vector, oidOidvector:
		vector = true
	case oidRecord:
		open, end = "(", ")"
	}
	parts := make([]string, len(list))
	for i, v := range list {
		switch {
		case v == nil && oid == oidRecord:
		case v == nil:
			parts[i] = "NULL"
		default:
			parts[i] = r.text(element, v)
			if !vector {
				parts[i] = quoteElement(parts[i], v)
			}
		}
	}
	if vector {
		return strings.Join(parts, " ")
	}
	return open + strings.Join(parts, ",") + end
}

func quoteElement(s string, v any) string {
	if _, nested := v.([]any); nested {
		return s
	}
	if s != "" && !strings.EqualFold(s, "null") && !strings.ContainsAny(s, `{}(),"\ `+"\t\n") {
		return s
	}
	return `"` + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`) + `"`
}

// elementOf is the type of an array's elements.
func elementOf(oid uint32) uint32 {
	switch oid {
	case oidInt2vector:
		return pgtype.Int2
	case oidOidvector:
		return pgtype.OID
	}
	for element, array := range arraysOf {
		if array == oid {
			return element
		}
	}
	return pgtype.Text
}

// className is the name of a relation or index, as regclass prints it.
func (im *image) className(oid int64) string {
	if oid == 0 {
		return "-"
	}
	for _, r := range im.tables["leat_relation"] {
		if integer(r["oid"]) != oid {
			continue
		}
		name := quoteIdent(r["relname"].(string))
		if schema := r["nspname"].(string); schema != publicSchema && schema != pgCatalog {
			name = quoteIdent(schema) + "." + name
		}
		return name
	}
	return itoa(oid)
}

func typeTitle(oid int64) string {
	for _, t := range baseTypes {
		if t.oid == oid {
			return displayName(t)
		}
	}
	if oid == 0 {
		return "-"
	}
	return itoa(oid)
}

func procTitle(oid int64) string {
	if oid == 0 {
		return "-"
	}
	for _, r := range fixed()["pg_proc"] {
		if integer(r["oid"]) == oid {
			return r["proname"].(string)
		}
	}
	return itoa(oid)
}

func namespaceTitle(oid int64) string {
	for _, r := range fixed()["pg_namespace"] {
		if integer(r["oid"]) == oid {
			return r["nspname"].(string)
		}
	}
	return itoa(oid)
}

// binary writes a value in binary form: what pgx's codec of the type writes.
func (r *Result) binary(buf []byte, oid uint32, v any) ([]byte, error) {
	m := pgx.NewMap()
	switch value := v.(type) {
	case int64:
		switch oid {
		case pgtype.OID, oidRegclass, oidRegtype, oidRegproc, oidRegprocedure, oidRegnamespace, oidRegrole, oidXID:
			return append(buf, byte(value>>24), byte(value>>16), byte(value>>8), byte(value)), nil
		}
	case string:
		if oid == pgtype.Char {
			if value == "" {
				return append(buf, 0), nil
			}
			return append(buf, value[0]), nil
		}
		if _, known := m.TypeForOID(oid); !known || oid == oidACLItem || oid == oidNodeTree || oid == oidLSN {
			return append(buf, value...), nil
		}
		if oid == oidInet {
			return nil, types.Errorf(types.Unsupported, "inet in binary form").WithHint("cast the column to text")
		}
	case []any:
		if oid == oidRecord {
			return nil, types.Errorf(types.Unsupported, "records in binary form").WithHint("cast the column to text")
		}
		return r.binaryList(buf, oid, value)
	}
	out, err := m.Encode(oid, pgx.BinaryFormatCode, v, buf)
	if err != nil {
		return nil, types.Errorf(types.Unsupported, "a value of the catalog in binary form: %w", err).WithHint("ask for the text format")
	}
	return out, nil
}

// binaryList writes a list of one dimension.
func (r *Result) binaryList(buf []byte, oid uint32, list []any) ([]byte, error) {
	element := elementOf(oid)
	dimensions := int32(1)
	if len(list) == 0 {
		dimensions = 0
	}
	hasNull := int32(0)
	for _, v := range list {
		if v == nil {
			hasNull = 1
		}
	}
	buf = appendInt32(appendInt32(appendInt32(buf, dimensions), hasNull), int32(element))
	if dimensions == 0 {
		return buf, nil
	}
	first := int32(1)
	if oid == oidInt2vector || oid == oidOidvector {
		first = 0
	}
	buf = appendInt32(appendInt32(buf, int32(len(list))), first)
	for _, v := range list {
		if v == nil {
			buf = appendInt32(buf, -1)
			continue
		}
		at := len(buf)
		var err error
		if buf, err = r.binary(appendInt32(buf, 0), element, v); err != nil {
			return nil, err
		}
		n := appendInt32(nil, int32(len(buf)-at-4))
		copy(buf[at:], n)
	}
	return buf, nil
}

func appendInt32(buf []byte, n int32) []byte {
	return append(buf, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// argument makes a bound value the text that the statement reads: arrays as JSON.
func argument(oid uint32, p Param) (any, error) {
	if p.Data == nil {
		return nil, nil
	}
	m := pgx.NewMap()
	_, list := engineType(oid)
	if !list && p.Format == pgx.TextFormatCode {
		return string(p.Data), nil
	}
	if list {
		var out []*string
		if p.Format == pgx.TextFormatCode {
			oid = 1009
		}
		var raw any
		if err := m.Scan(oid, p.Format, p.Data, &raw); err != nil {
			return nil, types.Errorf(types.InvalidArgument, "a parameter of the catalog: %w", err)
		}
		values, _ := raw.([]any)
		for _, v := range values {
			if v == nil {
				out = append(out, nil)
				continue
			}
			s := fmt.Sprint(v)
			if c, ok := v.(rune); ok && elementOf(oid) == pgtype.Char {
				s = string(c)
			}
			out = append(out, &s)
		}
		if out == nil {
			out = []*string{}
		}
		b, err := json.Marshal(out)
		return string(b), err
	}
	switch oid {
	case pgtype.Char, pgtype.Text, pgtype.Varchar, pgtype.Name, pgtype.BPChar, pgtype.Unknown:
		return string(p.Data), nil
	case oidRegclass, oidRegtype, oidRegproc, oidRegnamespace:
		oid = pgtype.OID
	}
	var v any
	if err := m.Scan(oid, p.Format, p.Data, &v); err != nil {
		return nil, types.Errorf(types.InvalidArgument, "a parameter of the catalog: %w", err)
	}
	if t, ok := v.(time.Time); ok {
		return t.UTC().Format(time.RFC3339Nano), nil
	}
	return fmt.Sprint(v), nil
}
