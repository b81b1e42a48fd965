package jsonscan

// Skip checks the whole value that starts at b[i] (after white space) and returns the index after
// it, or of the fault.
func Skip(b []byte, i int) (end int, err Err) {
	var objects uint64 // one bit per open level: 1 is an object
	depth := 0
	for {
		// A value starts here.
		if i = Space(b, i); i >= len(b) {
			return i, Truncated
		}
		switch c := b[i]; c {
		case '{', '[':
			if depth == MaxDepth {
				return i, TooDeep
			}
			depth++
			objects = objects<<1 | uint64(c>>5&1) // '{' is 0x7B, '[' is 0x5B
			if i = Space(b, i+1); i < len(b) && b[i] == c+2 {
				break // empty: closed below
			}
			if c == '{' {
				if i, err = Key(b, i); err != OK {
					return i, err
				}
			}
			continue
		default:
			if i, err = scalar(b, i); err != OK {
				return i, err
			}
		}
		// A value has ended, or an empty array or object is about to.
		for again := false; !again; {
			if depth == 0 {
				return i, OK
			}
			if i = Space(b, i); i >= len(b) {
				return i, Truncated
			}
			object := objects&1 == 1
			switch c := b[i]; {
			case c == ',':
				i++
				if object {
					if i, err = Key(b, Space(b, i)); err != OK {
						return i, err
					}
				}
				again = true
			case c == '}' && object, c == ']' && !object:
				i++
				depth--
				objects >>= 1
			default:
				return i, Unexpected
			}
		}
	}
}

// scalar scans a string, number or literal.
func scalar(b []byte, i int) (end int, err Err) {
	switch c := b[i]; {
	case c == '"':
		i, _, err = String(b, i+1)
		if err == OK {
			i++
		}
		return i, err
	case c == '-' || c-'0' <= 9:
		i, _, err = Number(b, i)
		return i, err
	case c == 't' || c == 'f' || c == 'n':
		return Literal(b, i)
	}
	return i, Unexpected
}

// Key scans an object key and its colon at b[i] and returns the index after the colon.
func Key(b []byte, i int) (end int, err Err) {
	if i >= len(b) {
		return i, Truncated
	}
	if b[i] != '"' {
		return i, Unexpected
	}
	if i, _, err = String(b, i+1); err != OK {
		return i, err
	}
	return Colon(b, i+1)
}

// Colon skips white space and a colon.
func Colon(b []byte, i int) (end int, err Err) {
	if i = Space(b, i); i >= len(b) {
		return i, Truncated
	}
	if b[i] != ':' {
		return i, Unexpected
	}
	return i + 1, OK
}

// Compact appends the value v, which Skip has accepted, without the white space between its parts to dst.
func Compact(dst, v []byte) []byte {
	for i := 0; i < len(v); {
		switch v[i] {
		case ' ', '\n', '\r', '\t':
			i++
		case '"':
			end, _, _ := String(v, i+1)
			dst = append(dst, v[i:end+1]...)
			i = end + 1
		default:
			dst = append(dst, v[i])
			i++
		}
	}
	return dst
}

// Members calls f for each member of the object v, which Skip has accepted, with the raw text of
// the key (without quotes, still escaped) and of the value. It stops when f returns false.
func Members(v []byte, f func(key, value []byte) bool) {
	i := Space(v, 0) + 1
	for {
		i = Space(v, i)
		if v[i] == '}' {
			return
		}
		if v[i] == ',' {
			i = Space(v, i+1)
		}
		end, _, _ := String(v, i+1)
		key := v[i+1 : end]
		i, _ = Colon(v, end+1)
		i = Space(v, i)
		start := i
		i, _ = Skip(v, i)
		if !f(key, v[start:i]) {
			return
		}
	}
}

// Elements calls f for each element of the array v, which Skip has accepted, until f returns false.
func Elements(v []byte, f func(value []byte) bool) {
	i := Space(v, 0) + 1
	for {
		i = Space(v, i)
		if v[i] == ']' {
			return
		}
		if v[i] == ',' {
			i = Space(v, i+1)
		}
		start := i
		i, _ = Skip(v, i)
		if !f(v[start:i]) {
			return
		}
	}
}

// Balance finds the end of the object or array that starts at b[i] by its brackets alone, so that
// text which Skip refuses (bad escapes, NaN, too much depth) can still be told from what follows it.
func Balance(b []byte, i int) (end int, ok bool) {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				return i + 1, depth == 0
			}
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		}
		if depth == 0 {
			return i, false
		}
	}
	return len(b), false
}

// Hollow reports whether the value v, which Skip has accepted, holds nothing but null, empty arrays
// and empty objects, at any depth: it says nothing of a type.
func Hollow(v []byte) bool {
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case ' ', '\n', '\r', '\t', '{', '}', '[', ']', ',':
		case 'n':
			i += len("ull")
		case '"':
			i, _, _ = String(v, i+1)
			if i = Space(v, i+1); i == len(v) || v[i] != ':' {
				return false
			}
		default:
			return false
		}
	}
	return true
}
