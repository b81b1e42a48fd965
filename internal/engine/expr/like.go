package expr

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"leat/internal/sql/plan"
)

// likeFunction is LIKE and NOT LIKE without ESCAPE: % is any text, _ one character, all else stands for itself.
func likeFunction(e *plan.Expr) func(a []operand, i int) int64 {
	yes := truth(e.Name == "~~")
	pattern, ok := constText(e.Args[1])
	if !ok || strings.Contains(pattern, "_") {
		return func(a []operand, i int) int64 { return truth(like(a[0].text(i), a[1].text(i))) ^ yes ^ 1 }
	}
	pieces := bytes.Split([]byte(pattern), []byte("%"))
	if len(pieces) == 1 {
		return func(a []operand, i int) int64 { return truth(string(a[0].text(i)) == pattern) ^ yes ^ 1 }
	}
	first, inner, last := pieces[0], pieces[1:len(pieces)-1], pieces[len(pieces)-1]
	return func(a []operand, i int) int64 { return truth(pieced(a[0].text(i), first, inner, last)) ^ yes ^ 1 }
}

// pieced reports whether s is first, then the inner pieces in order with anything between, then last.
func pieced(s, first []byte, inner [][]byte, last []byte) bool {
	if len(s) < len(first)+len(last) || !bytes.HasPrefix(s, first) || !bytes.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, p := range inner {
		at := bytes.Index(s, p)
		if at < 0 {
			return false
		}
		s = s[at+len(p):]
	}
	return true
}

// like matches by going back to the last % only, which is enough.
func like(s, p []byte) bool {
	i, j := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		switch {
		case j < len(p) && p[j] == '%':
			star, mark = j, i
			j++
		case j < len(p) && p[j] == '_':
			_, size := utf8.DecodeRune(s[i:])
			i += size
			j++
		case j < len(p) && p[j] == s[i]:
			i++
			j++
		case star >= 0:
			_, size := utf8.DecodeRune(s[mark:])
			mark += size
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == '%' {
		j++
	}
	return j == len(p)
}
