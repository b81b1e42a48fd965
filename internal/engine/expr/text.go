package expr

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// textFunc appends its result for row i to dst.
type textFunc func(dst []byte, args []operand, i int) []byte

// textOp is a function to VARCHAR that is NULL where an operand is.
func textOp(t types.Type, f textFunc) apply {
	return func(x *exec, args []operand) operand {
		v := x.vec(t, x.n)
		v.Valid = x.valid(args...)
		for i := range x.n {
			if isSet(v.Valid, i) {
				v.Data = f(v.Data, args, i)
			}
			v.Off[i+1] = int32(len(v.Data))
		}
		return operand{v, false}
	}
}

// numberOp is a function of texts to an integer or BOOLEAN that is NULL where an operand is.
func numberOp(t types.Type, f func(args []operand, i int) int64) apply {
	return func(x *exec, args []operand) operand {
		v := x.vec(t, x.n)
		v.Valid = x.valid(args...)
		for i := range v.I64 {
			v.I64[i] = 0
			if isSet(v.Valid, i) {
				v.I64[i] = f(args, i)
			}
		}
		return operand{v, false}
	}
}

func (o operand) text(i int) []byte { return o.Bytes(o.at(i)) }

func (o operand) int(i int) int64 { return o.I64[o.at(i)] }

// signature spells the operands' kinds: s VARCHAR, n BIGINT, ? else.
func signature(e *plan.Expr) string {
	out := make([]byte, len(e.Args))
	for i, a := range e.Args {
		switch a.Type.Kind {
		case types.Varchar:
			out[i] = 's'
		case types.BigInt:
			out[i] = 'n'
		default:
			out[i] = '?'
		}
	}
	return string(out)
}

// textKernel is that of the functions over VARCHAR.
func textKernel(e *plan.Expr) kernel {
	switch e.Type.Kind {
	case types.Varchar:
		if f := textFunction(e); f != nil {
			return eager(textOp(e.Type, f))
		}
	case types.BigInt, types.Boolean:
		if f := numberFunction(e); f != nil {
			return eager(numberOp(e.Type, f))
		}
	}
	return nil
}

func textFunction(e *plan.Expr) textFunc {
	switch e.Name + "(" + signature(e) {
	case "||(ss":
		return func(dst []byte, a []operand, i int) []byte {
			return append(append(dst, a[0].text(i)...), a[1].text(i)...)
		}
	case "substring(sn", "substr(sn":
		return func(dst []byte, a []operand, i int) []byte {
			return append(dst, substring(a[0].text(i), a[1].int(i), 1<<32)...)
		}
	case "substring(snn", "substr(snn":
		return func(dst []byte, a []operand, i int) []byte {
			return append(dst, substring(a[0].text(i), a[1].int(i), a[2].int(i))...)
		}
	case "left(sn":
		return func(dst []byte, a []operand, i int) []byte {
			s, n := a[0].text(i), a[1].int(i)
			if n < 0 {
				n += int64(utf8.RuneCount(s))
			}
			return append(dst, runes(s, 0, n)...)
		}
	case "right(sn":
		return func(dst []byte, a []operand, i int) []byte {
			s, n := a[0].text(i), a[1].int(i)
			size := int64(utf8.RuneCount(s))
			if n >= 0 {
				return append(dst, runes(s, size-min(n, size), size)...)
			}
			return append(dst, runes(s, min(-n, size), size)...)
		}
	case "replace(sss":
		return func(dst []byte, a []operand, i int) []byte {
			return replace(dst, a[0].text(i), a[1].text(i), a[2].text(i))
		}
	case "split_part(ssn":
		if sep, ok := constText(e.Args[1]); ok && sep != "" {
			return func(dst []byte, a []operand, i int) []byte {
				return append(dst, splitPart(a[0].text(i), a[1].text(i), a[2].int(i))...)
			}
		}
	case "trim(s":
		return func(dst []byte, a []operand, i int) []byte {
			return append(dst, bytes.TrimFunc(a[0].text(i), space)...)
		}
	case "ltrim(s":
		return func(dst []byte, a []operand, i int) []byte {
			return append(dst, bytes.TrimLeftFunc(a[0].text(i), space)...)
		}
	case "rtrim(s":
		return func(dst []byte, a []operand, i int) []byte {
			return append(dst, bytes.TrimRightFunc(a[0].text(i), space)...)
		}
	}
	return nil
}

func space(r rune) bool { return unicode.Is(unicode.Zs, r) }

func numberFunction(e *plan.Expr) func(a []operand, i int) int64 {
	switch e.Name + "(" + signature(e) {
	case "length(s", "len(s", "char_length(s", "character_length(s":
		return func(a []operand, i int) int64 { return int64(utf8.RuneCount(a[0].text(i))) }
	case "strlen(s":
		return func(a []operand, i int) int64 { return int64(len(a[0].text(i))) }
	case "prefix(ss", "starts_with(ss", "^@(ss":
		return func(a []operand, i int) int64 { return truth(bytes.HasPrefix(a[0].text(i), a[1].text(i))) }
	case "suffix(ss", "ends_with(ss":
		return func(a []operand, i int) int64 { return truth(bytes.HasSuffix(a[0].text(i), a[1].text(i))) }
	case "contains(ss":
		return func(a []operand, i int) int64 { return truth(bytes.Contains(a[0].text(i), a[1].text(i))) }
	case "position(ss", "strpos(ss", "instr(ss":
		return func(a []operand, i int) int64 {
			s := a[0].text(i)
			return int64(utf8.RuneCount(s[:max(bytes.Index(s, a[1].text(i)), 0)])) + truth(bytes.Contains(s, a[1].text(i)))
		}
	case "~~(ss", "!~~(ss":
		return likeFunction(e)
	}
	return nil
}

// concatKernel is concat(...) of texts: NULLs are left out.
func concatKernel(e *plan.Expr) kernel {
	if e.Type.Kind != types.Varchar || !sameArgs(e, e.Type) {
		return nil
	}
	return eager(func(x *exec, args []operand) operand {
		v := x.vec(e.Type, x.n)
		for i := range x.n {
			for _, a := range args {
				if !a.null(i) {
					v.Data = append(v.Data, a.text(i)...)
				}
			}
			v.Off[i+1] = int32(len(v.Data))
		}
		return operand{v, false}
	})
}

// runes returns characters [from, to) of s.
func runes(s []byte, from, to int64) []byte {
	if to <= from {
		return nil
	}
	start := skipRunes(s, from)
	return s[start : start+skipRunes(s[start:], to-from)]
}

// skipRunes is where s is after n characters, or its end.
func skipRunes(s []byte, n int64) int {
	at := 0
	for ; n > 0 && at < len(s); n-- {
		if s[at] < utf8.RuneSelf {
			at++
			continue
		}
		_, size := utf8.DecodeRune(s[at:])
		at += size
	}
	return at
}

// substring counts characters from 1; a negative offset counts from the end, a negative length takes what is before.
func substring(s []byte, offset, length int64) []byte {
	start := offset - 1
	size := int64(len(s))
	if offset < 0 || length < 0 {
		size = int64(utf8.RuneCount(s))
	}
	if offset < 0 {
		start = size + offset
	}
	end := start + length
	if length < 0 {
		start, end = end, start
	}
	return runes(s, max(start, 0), min(end, size))
}

func replace(dst, s, from, to []byte) []byte {
	if len(from) == 0 {
		return append(dst, s...)
	}
	for {
		at := bytes.Index(s, from)
		if at < 0 {
			return append(dst, s...)
		}
		dst = append(append(dst, s[:at]...), to...)
		s = s[at+len(from):]
	}
}

// splitPart is the n-th part of s cut at sep, from the end if n is negative; sep isn't empty.
func splitPart(s, sep []byte, n int64) []byte {
	if n < 0 {
		n += int64(bytes.Count(s, sep)) + 2
		if n <= 0 {
			return nil
		}
	}
	for ; n > 1; n-- {
		at := bytes.Index(s, sep)
		if at < 0 {
			return nil
		}
		s = s[at+len(sep):]
	}
	if n == 0 {
		return nil
	}
	if at := bytes.Index(s, sep); at >= 0 {
		return s[:at]
	}
	return s
}
