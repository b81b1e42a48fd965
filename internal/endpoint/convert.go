package endpoint

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"leat/internal/types"
)

// bits are the widths of integers; HUGEINT is checked apart.
var bits = map[types.Kind]int{
	types.TinyInt: 8, types.SmallInt: 16, types.Integer: 32, types.BigInt: 64,
	types.UTinyInt: 8, types.USmallInt: 16, types.UInteger: 32, types.UBigInt: 64,
}

// Value checks a value against a type as Bind does, and returns what Bind would pass on.
func Value(t types.Type, sent any) (any, error) { return convert(t, sent) }

// convert checks one sent value against its declared type.
func convert(t types.Type, sent any) (any, error) {
	if sent == nil {
		return nil, nil
	}
	if t.Kind.IsNested() || t.Kind == types.JSON {
		return nested(t, sent)
	}
	var text string
	switch v := sent.(type) {
	case string:
		text = v
	case json.Number:
		if t.Kind == types.Boolean {
			return nil, mismatch(t, v.String())
		}
		text = v.String()
	case bool:
		if t.Kind != types.Boolean && t.Kind != types.Varchar {
			return nil, mismatch(t, strconv.FormatBool(v))
		}
		text = strconv.FormatBool(v)
	case []string:
		return nil, fmt.Errorf("sent %d times, but %s takes one value", len(v), t)
	default:
		return nil, fmt.Errorf("expected one %s, got an array or object", t)
	}
	return scalar(t, text)
}

func scalar(t types.Type, text string) (any, error) {
	var v any = text
	var err error
	switch k := t.Kind; {
	case k == types.Varchar:
		return text, nil
	case k == types.Boolean:
		switch strings.ToLower(text) {
		case "true", "t", "1":
			return true, nil
		case "false", "f", "0":
			return false, nil
		}
		return nil, mismatch(t, text)
	case k >= types.UTinyInt && k <= types.UBigInt:
		v, err = strconv.ParseUint(text, 10, bits[k])
	case bits[k] > 0:
		v, err = strconv.ParseInt(text, 10, bits[k])
	case k == types.Float:
		v, err = strconv.ParseFloat(text, 32)
	case k == types.Double:
		v, err = strconv.ParseFloat(text, 64)
	case k == types.Blob:
		v, err = base64.StdEncoding.DecodeString(text)
	default:
		if !shaped(t, text) {
			return nil, mismatch(t, text)
		}
	}
	if err != nil {
		return nil, mismatch(t, text)
	}
	return v, nil
}

var (
	decimalText = regexp.MustCompile(`^[-+]?(\d+)(?:\.(\d*))?$`)
	uuidText    = regexp.MustCompile(`^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)
	intervalRE  = regexp.MustCompile(`^[-+0-9a-zA-Z:. ]{1,100}$`)
	timeLayouts = map[types.Kind][]string{
		types.Date: {time.DateOnly}, types.Time: {time.TimeOnly, "15:04"},
		types.Timestamp:   {"2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly},
		types.TimestampTZ: {time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", time.DateTime, time.DateOnly},
	}
)

// shaped checks the text of types that DuckDB casts from text.
func shaped(t types.Type, text string) bool {
	switch t.Kind {
	case types.HugeInt:
		n, ok := new(big.Int).SetString(text, 10)
		return ok && n.BitLen() <= 127
	case types.Decimal:
		m := decimalText.FindStringSubmatch(text)
		return m != nil && len(strings.TrimLeft(m[1], "0")) <= int(t.Precision)-int(t.Scale) && len(strings.TrimRight(m[2], "0")) <= int(t.Scale)
	case types.UUID:
		return uuidText.MatchString(text)
	case types.Interval:
		return intervalRE.MatchString(text)
	}
	for _, layout := range timeLayouts[t.Kind] {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}

// nested returns the JSON text of a list, struct, map or JSON value; the elements of a list of scalars are checked one by one.
func nested(t types.Type, sent any) (any, error) {
	if t.Kind == types.List {
		return list(t, sent)
	}
	if s, ok := sent.(string); ok {
		if !json.Valid([]byte(s)) {
			return nil, fmt.Errorf("%.60q is not the JSON of a %s", s, t)
		}
		return s, nil
	}
	b, err := json.Marshal(sent)
	return string(b), err
}

func list(t types.Type, sent any) (any, error) {
	var elements []any
	switch v := sent.(type) {
	case []any:
		elements = v
	case []string:
		for _, s := range v {
			elements = append(elements, s)
		}
	case string:
		if !strings.HasPrefix(strings.TrimSpace(v), "[") {
			elements = []any{v}
			break
		}
		d := json.NewDecoder(strings.NewReader(v))
		d.UseNumber()
		if err := d.Decode(&elements); err != nil || d.More() {
			return nil, fmt.Errorf("%.60q is not the JSON of a %s", v, t)
		}
	default:
		return nil, fmt.Errorf("expected an array for %s", t)
	}
	for i, e := range elements {
		v, err := convert(*t.Elem, e)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i+1, err)
		}
		if s, ok := v.(string); ok && t.Elem.Kind.IsNested() {
			v = json.RawMessage(s)
		}
		elements[i] = v
	}
	if elements == nil {
		elements = []any{}
	}
	b, err := json.Marshal(elements)
	return string(b), err
}
