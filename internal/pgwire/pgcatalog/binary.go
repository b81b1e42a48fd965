package pgcatalog

import (
	"encoding/json"
	"fmt"
	"time"

	pgx "github.com/jackc/pgx/v5/pgtype"

	"leat/internal/pgwire/pgtype"
	"leat/internal/types"
)

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
