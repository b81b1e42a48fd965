package codec

import (
	"encoding/base64"
	"encoding/binary"
	"math"

	"leat/internal/codec/jsonscan"
	"leat/internal/codec/value"
	"leat/internal/types"
)

// maxExact is the largest integer up to which DOUBLE holds every integer.
const maxExact = 1 << 53

// value reads the JSON value at b[i], which is not white space, into c and returns the index after it. The commonest forms are
// read here; any other goes to general.
func (s *state) value(c *column, i int) (int, *fault) {
	b := s.b
	switch c.typ.Kind {
	case types.Varchar:
		if b[i] != '"' {
			break
		}
		end := jsonscan.Plain(b, i+1)
		if end >= len(b) || b[end] != '"' {
			break
		}
		c.putShort(b, i+1, end)
		return end + 1, nil
	case types.BigInt:
		v, end := shortInt(b, i)
		if end == 0 {
			break
		}
		if v > maxExact || v < -maxExact {
			c.wide = true
		}
		c.put8(uint64(v))
		return end, nil
	case types.Integer, types.SmallInt, types.TinyInt:
		v, end := shortInt(b, i)
		if shift := 64 - 8*c.width; end == 0 || v<<shift>>shift != v {
			break
		}
		c.put(uint64(v))
		return end, nil
	case types.Double:
		v, end := shortFloat(b, i)
		if end == 0 {
			break
		}
		c.put8(math.Float64bits(v))
		return end, nil
	case types.Timestamp, types.TimestampTZ:
		if b[i] != '"' {
			n, end := shortInt(b, i)
			micros, ok := value.EpochInt(n)
			if end == 0 || !ok {
				break
			}
			c.put8(uint64(micros))
			return end, nil
		}
		end := jsonscan.Plain(b, i+1)
		if end >= len(b) || b[end] != '"' {
			break
		}
		micros, ok := c.timestamp(b[i+1 : end])
		if !ok {
			break
		}
		c.put8(uint64(micros))
		return end + 1, nil
	}
	return s.general(c, i)
}

// general reads any JSON value into any column.
func (s *state) general(c *column, i int) (int, *fault) {
	b := s.b
	if c.typ.Kind == types.JSON && b[i] != 'n' {
		end, err := jsonscan.Skip(b, i)
		if err != jsonscan.OK {
			return end, syntaxFault(b, end, err)
		}
		c.data = jsonscan.Compact(c.data, b[i:end])
		c.end()
		return end, nil
	}
	switch ch := b[i]; {
	case ch == '{' || ch == '[':
		return s.nested(c, i)
	case ch == '"':
		end, escaped, err := jsonscan.String(b, i+1)
		if err != jsonscan.OK {
			return end, syntaxFault(b, end, err)
		}
		text := b[i+1 : end]
		if escaped {
			s.text = jsonscan.Unescape(s.text[:0], text)
			text = s.text
		}
		return end + 1, s.putText(c, text)
	case ch == 't' || ch == 'f' || ch == 'n':
		end, err := jsonscan.Literal(b, i)
		if err != jsonscan.OK {
			return end, syntaxFault(b, end, err)
		}
		if ch == 'n' {
			c.null()
			return end, nil
		}
		return end, putBool(c, b[i:end])
	}
	end, integer, err := jsonscan.Number(b, i)
	if err != jsonscan.OK {
		if end == i {
			err = jsonscan.Unexpected
		}
		return end, syntaxFault(b, end, err)
	}
	return end, putNumber(c, b[i:end], integer)
}

func putBool(c *column, v []byte) *fault {
	switch c.typ.Kind {
	case types.Boolean:
		c.put(uint64(v[0]>>2) & 1) // 't' is 0x74, 'f' is 0x66
		if v[0] == 'f' {
			c.data[len(c.data)-1] = 0
		}
	case types.Varchar:
		c.putBytes(v)
	default:
		return notA(c.typ, v, mendScalar(c))
	}
	return nil
}

// mendScalar is the type change that lets a scalar of another kind in.
func mendScalar(c *column) string {
	if c.typ.Kind.IsNested() {
		return "TYPE JSON"
	}
	return "TYPE VARCHAR"
}

// putNumber appends a JSON number.
func putNumber(c *column, v []byte, integer bool) *fault {
	switch k := c.typ.Kind; {
	case k.IsNumeric():
		return putNumeric(c, v, integer)
	case k == types.Varchar:
		c.putBytes(v)
		return nil
	case k.IsTime():
		micros, ok := value.Epoch(v)
		if !ok {
			return misfit(c.typ, v, "is out of range for", "TYPE VARCHAR")
		}
		c.put8(uint64(micros))
		return nil
	}
	return notA(c.typ, v, mendScalar(c))
}

// putNumeric appends a number, written in JSON or as text, to a numeric column.
func putNumeric(c *column, v []byte, integer bool) *fault {
	var status value.Status
	switch c.typ.Kind {
	case types.BigInt, types.Integer, types.SmallInt, types.TinyInt:
		var n int64
		n, status = value.Int(v)
		shift := 64 - 8*c.width
		switch {
		case status == value.Exact && n<<shift>>shift != n:
			status = value.OutOfRange
		case status == value.Exact:
			c.wide = c.wide || n > maxExact || n < -maxExact
			c.put(uint64(n))
			return nil
		}
	case types.UBigInt, types.UInteger, types.USmallInt, types.UTinyInt:
		var n uint64
		n, status = value.Uint(v)
		switch {
		case status == value.Exact && c.width < 8 && n>>(8*c.width) != 0:
			status = value.OutOfRange
		case status == value.Exact:
			c.put(n)
			return nil
		}
	case types.Float, types.Double:
		return putFloat(c, v)
	default:
		return putDecimal(c, v)
	}
	f := refuse(c, v, status)
	if status == value.Inexact || status == value.OutOfRange && !integer {
		// A fraction, or a huge number in exponent form: DOUBLE takes it, if the column's integers all fit there.
		f.mend = "TYPE DOUBLE"
		if _, fits := value.Float(v, 64); fits == value.OutOfRange {
			f.mend = "TYPE VARCHAR"
		}
		f.widen = c.typ.Kind == types.BigInt && c.meta != nil && !c.meta.Wide
	}
	return f
}

func putFloat(c *column, v []byte) *fault {
	n, status := value.Float(v, 8*c.width)
	if status != value.Exact {
		return refuse(c, v, status)
	}
	if c.typ.Kind == types.Float {
		c.put(uint64(math.Float32bits(float32(n))))
	} else {
		c.put8(math.Float64bits(n))
	}
	return nil
}

func putDecimal(c *column, v []byte) *fault {
	num, status := value.HugeInt(v)
	if c.typ.Kind == types.Decimal {
		num, status = value.Decimal(v, int(c.typ.Precision), int(c.typ.Scale))
	}
	if status != value.Exact {
		return refuse(c, v, status)
	}
	c.data = binary.LittleEndian.AppendUint64(c.data, num.LowBits())
	c.data = binary.LittleEndian.AppendUint64(c.data, uint64(num.HighBits()))
	c.n++
	return nil
}

// refuse is the fault of a number that c cannot hold.
func refuse(c *column, v []byte, status value.Status) *fault {
	switch status {
	case value.Inexact:
		return misfit(c.typ, v, "cannot be held without loss by", "TYPE VARCHAR")
	case value.OutOfRange:
		mend := "TYPE VARCHAR"
		if k := c.typ.Kind; k.IsInteger() && k != types.HugeInt {
			mend = "TYPE HUGEINT"
			if _, s := value.Int(v); s == value.Exact {
				mend = "TYPE BIGINT"
			} else if _, s := value.HugeInt(v); s != value.Exact {
				mend = "TYPE VARCHAR"
			}
		}
		return misfit(c.typ, v, "is out of range for", mend)
	}
	return notA(c.typ, v, "TYPE VARCHAR")
}

// putText appends a JSON string, or a field of CSV, that must spell a value of the column's type exactly.
func (s *state) putText(c *column, v []byte) *fault {
	ok := false
	switch k := c.typ.Kind; {
	case k == types.Varchar:
		c.putBytes(v)
		return nil
	case k.IsNumeric():
		f := putNumeric(c, v, false)
		if f != nil {
			f.widen = false
			f.quote(v)
		}
		return f
	case k.IsTime():
		var n int64
		if n, _, ok = value.Timestamp(v); !ok {
			n, ok = value.Epoch(v)
		}
		if ok {
			c.put8(uint64(n))
		}
	default:
		ok = c.putOther(v)
	}
	if !ok {
		return notA(c.typ, v, mendScalar(c)).quote(v)
	}
	return nil
}

// putOther appends text to a column of one of the less common types.
func (c *column) putOther(v []byte) (ok bool) {
	switch c.typ.Kind {
	case types.Boolean:
		var t bool
		if t, ok = value.Bool(v); ok {
			c.data = append(c.data, 0)
			if t {
				c.data[c.n] = 1
			}
			c.n++
		}
	case types.Date:
		var n int32
		if n, ok = value.Date(v); ok {
			c.put(uint64(n))
		}
	case types.Time:
		var n int64
		if n, ok = value.Time(v); ok {
			c.put8(uint64(n))
		}
	case types.UUID:
		var u [16]byte
		if u, ok = value.UUID(v); ok {
			c.putBytes(u[:])
		}
	case types.Interval:
		iv, fits := value.Interval(v)
		if ok = fits; ok {
			c.data = binary.LittleEndian.AppendUint32(c.data, uint32(iv.Months))
			c.data = binary.LittleEndian.AppendUint32(c.data, uint32(iv.Days))
			c.put8(uint64(iv.Nanoseconds))
		}
	case types.Blob:
		from := len(c.data)
		data, err := base64.StdEncoding.Strict().AppendDecode(c.data, v)
		if ok = err == nil; ok {
			c.data = data
			c.end()
		} else {
			c.data = c.data[:from]
		}
	}
	return ok
}
