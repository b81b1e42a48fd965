package pgcatalog

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	pgx "github.com/jackc/pgx/v5/pgtype"

	"leat/internal/pgwire/pgtype"
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
