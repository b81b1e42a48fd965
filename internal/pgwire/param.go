package pgwire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"leat/internal/pgwire/pgtype"
	"leat/internal/types"
)

// decode reads a value that a client sent: nil stays NULL. It returns bool, int64, float64, string or []byte; what has no Go type of its own is
// text that DuckDB's cast to the type reads.
func decode(data []byte, oid uint32, format int16) (any, error) {
	switch {
	case data == nil:
		return nil, nil
	case format == textFormat:
		return decodeText(data, oid)
	case format == binaryFormat:
		return decodeBinary(data, oid)
	}
	return nil, withState(types.Errorf(types.InvalidArgument, "unsupported format code %d", format), "22023")
}

// invalidText is PostgreSQL's error for a value that its type doesn't read.
func invalidText(oid uint32, text []byte) error {
	name := pgtype.NameOf(oid)
	if name == "" {
		name = fmt.Sprintf("type %d", oid)
	}
	return withState(types.Errorf(types.DataError, "invalid input syntax for type %s: %.100q", name, text), "22P02")
}

func invalidBinary(oid uint32) error {
	return withState(types.Errorf(types.DataError, "incorrect binary data format of type %s", pgtype.NameOf(oid)), "22P03")
}

func decodeText(data []byte, oid uint32) (any, error) {
	if element, ok := pgtype.Element(oid); ok {
		return listText(data, element)
	}
	switch oid {
	case pgtype.Bool:
		if v, ok := parseBool(data); ok {
			return v, nil
		}
		return nil, invalidText(oid, data)
	case pgtype.Int2, pgtype.Int4, pgtype.Int8, pgtype.OID:
		return decodeInt(data, oid)
	case pgtype.Float4, pgtype.Float8:
		bits := 64
		if oid == pgtype.Float4 {
			bits = 32
		}
		f, err := strconv.ParseFloat(string(bytes.TrimSpace(data)), bits)
		if err != nil {
			return nil, invalidText(oid, data)
		}
		return f, nil
	case pgtype.Bytea:
		if v, ok := parseBytea(data); ok {
			return v, nil
		}
		return nil, invalidText(oid, data)
	case pgtype.Interval:
		data = bytes.ReplaceAll(data, []byte(" +"), []byte(" "))
	}
	return decodeString(data)
}

// decodeString refuses what is no text: DuckDB must not see it.
func decodeString(data []byte) (any, error) {
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, withState(types.Errorf(types.DataError, "invalid byte sequence for encoding \"UTF8\""), "22021")
	}
	return string(data), nil
}

func decodeInt(data []byte, oid uint32) (any, error) {
	bits := map[uint32]int{pgtype.Int2: 16, pgtype.Int4: 32, pgtype.OID: 33}[oid]
	if bits == 0 {
		bits = 64
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, bits)
	if err == nil {
		return n, nil
	}
	if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange { //nolint:errorlint // strconv returns it bare
		return nil, withState(types.Errorf(types.DataError, "value %.100q is out of range for type %s", data, pgtype.NameOf(oid)), "22003")
	}
	return nil, invalidText(oid, data)
}

// parseBool reads a unique prefix of true, false, yes, no, on, off, or 1 or 0.
func parseBool(data []byte) (v, ok bool) {
	s := strings.ToLower(string(bytes.TrimSpace(data)))
	switch {
	case s == "" || s == "o":
		return false, false
	case strings.HasPrefix("true", s) || strings.HasPrefix("yes", s) || s == "on" || s == "1":
		return true, true
	case strings.HasPrefix("false", s) || strings.HasPrefix("no", s) || strings.HasPrefix("off", s) || s == "0":
		return false, true
	}
	return false, false
}

// parseBytea reads \x and hexadecimal digits, or text with \\ and \ooo.
func parseBytea(data []byte) ([]byte, bool) {
	if rest, ok := bytes.CutPrefix(data, []byte(`\x`)); ok {
		out := make([]byte, hex.DecodedLen(len(rest)))
		_, err := hex.Decode(out, rest)
		return out, err == nil
	}
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			out = append(out, data[i])
			continue
		}
		if i+1 < len(data) && data[i+1] == '\\' {
			out = append(out, '\\')
			i++
			continue
		}
		if i+3 >= len(data) {
			return nil, false
		}
		n, err := strconv.ParseUint(string(data[i+1:i+4]), 8, 8)
		if err != nil {
			return nil, false
		}
		out = append(out, byte(n))
		i += 3
	}
	return out, true
}

func decodeBinary(data []byte, oid uint32) (any, error) {
	if element, ok := pgtype.Element(oid); ok {
		return listBinary(data, element)
	}
	if n := pgtype.Size(oid); n > 0 && oid != pgtype.Name && len(data) != int(n) {
		return nil, invalidBinary(oid)
	}
	switch oid {
	case pgtype.Bool:
		return data[0] != 0, nil
	case pgtype.Int2:
		return int64(int16(binary.BigEndian.Uint16(data))), nil
	case pgtype.Int4:
		return int64(int32(binary.BigEndian.Uint32(data))), nil
	case pgtype.OID:
		return int64(binary.BigEndian.Uint32(data)), nil
	case pgtype.Int8:
		return int64(binary.BigEndian.Uint64(data)), nil
	case pgtype.Float4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(data))), nil
	case pgtype.Float8:
		return math.Float64frombits(binary.BigEndian.Uint64(data)), nil
	case pgtype.Bytea:
		return append([]byte{}, data...), nil
	case pgtype.UUID:
		return string(appendUUID(nil, data)), nil
	case pgtype.Date, pgtype.Time, pgtype.Timestamp, pgtype.Timestamptz, pgtype.Interval:
		return binaryTime(data, oid), nil
	case pgtype.Numeric:
		text, ok := numericText(data)
		if !ok {
			return nil, invalidBinary(oid)
		}
		return text, nil
	case pgtype.JSONB:
		if len(data) == 0 || data[0] != 1 {
			return nil, invalidBinary(oid)
		}
		return decodeString(data[1:])
	}
	return decodeString(data)
}

// binaryTime spells a date or time of the right length.
func binaryTime(data []byte, oid uint32) string {
	switch oid {
	case pgtype.Date:
		switch days := int64(int32(binary.BigEndian.Uint32(data))); days {
		case math.MaxInt32:
			return "infinity"
		case math.MinInt32:
			return "-infinity"
		default:
			return bc(appendDate(nil, days+epochDays))
		}
	case pgtype.Time:
		return string(appendClock(nil, int64(binary.BigEndian.Uint64(data))))
	case pgtype.Interval:
		days, months := int32(binary.BigEndian.Uint32(data[8:])), int32(binary.BigEndian.Uint32(data[12:]))
		return intervalText(months, days, int64(binary.BigEndian.Uint64(data)))
	}
	us := int64(binary.BigEndian.Uint64(data))
	switch {
	case us == math.MaxInt64:
		return "infinity"
	case us == math.MinInt64:
		return "-infinity"
	case us > math.MaxInt64-epochMicros:
		return "out of range"
	}
	return bc(appendTimestamp(nil, us+epochMicros, oid == pgtype.Timestamptz))
}

// bc spells a year before 1 as DuckDB does: (BC).
func bc(b []byte) string {
	if text, ok := strings.CutSuffix(string(b), " BC"); ok {
		return text + " (BC)"
	}
	return string(b)
}

// intervalText spells an interval so that DuckDB and ingest read it: they know no + before a time.
func intervalText(months, days int32, us int64) string {
	b := fmt.Appendf(nil, "%d months %d days ", months, days)
	if us < 0 {
		b = append(b, '-')
		us = max(-us, 0)
	}
	return string(appendClock(b, us))
}

// maxNumericDigits bounds the text of one binary numeric: DuckDB holds 38 digits, and a short message can announce 131,072.
const maxNumericDigits = 400

// numericText spells a binary numeric.
func numericText(data []byte) (string, bool) {
	f := fields{b: data}
	count, weight, sign, scale := int(uint16(f.int16())), int(f.int16()), uint16(f.int16()), int(uint16(f.int16()))
	if f.bad || len(f.b) != 2*count {
		return "", false
	}
	switch sign {
	case 0xc000:
		return "NaN", true
	case 0xd000:
		return "Infinity", true
	case 0xf000:
		return "-Infinity", true
	case 0, 0x4000:
	default:
		return "", false
	}
	if weight > maxNumericDigits/4 || weight < -maxNumericDigits/4 || scale > maxNumericDigits {
		return "", false
	}
	groups := make([]int, count)
	for i := range groups {
		if groups[i] = int(f.int16()); groups[i] < 0 || groups[i] > 9999 {
			return "", false
		}
	}
	group := func(weightOf int) int {
		if i := weight - weightOf; i >= 0 && i < count {
			return groups[i]
		}
		return 0
	}
	var b []byte
	if sign == 0x4000 {
		b = append(b, '-')
	}
	whole := 0
	for w := weight; w >= 0; w-- {
		if whole++; whole == 1 {
			b = strconv.AppendInt(b, int64(group(w)), 10)
		} else {
			b = fmt.Appendf(b, "%04d", group(w))
		}
	}
	if whole == 0 {
		b = append(b, '0')
	}
	if scale == 0 {
		return string(b), true
	}
	b = append(b, '.')
	from := len(b)
	for w := -1; len(b)-from < scale; w-- {
		b = fmt.Appendf(b, "%04d", group(w))
	}
	return string(b[:from+scale]), true
}

var errDimensions = withState(types.Errorf(types.Unsupported, "arrays of more than one dimension are not supported"), "0A000")

// plainText spells a decoded value so that a cast from VARCHAR reads it.
func plainText(v any) (text string, null bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, false
	case bool:
		return strconv.FormatBool(v), false
	case int64:
		return strconv.FormatInt(v, 10), false
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), false
	case []byte:
		return blobText(v), false
	}
	return fmt.Sprint(v), false
}

// blobText spells bytes as DuckDB's cast to BLOB reads them.
func blobText(v []byte) string {
	var b strings.Builder
	for _, c := range v {
		if c < ' ' || c > '~' || c == '\\' || c == '\'' || c == '"' {
			fmt.Fprintf(&b, `\x%02X`, c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
