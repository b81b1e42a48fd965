package cli

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// statement is a piece of a script that is sent as one request.
type statement struct {
	text string
	line int // 0-based line of the script on which text starts
}

// definition matches the statements that may share a request: a run of them is one transaction.
var definition = regexp.MustCompile(`(?i)^(CREATE|ALTER|DROP)\b`)

// requests cuts a script into what the server takes at once: each run of definitions together, all else alone.
func requests(script string) []statement {
	type span struct{ from, to int }
	var spans []span
	inRun := false
	for start, n := 0, 0; start < len(script); start += n {
		n, _ = statementEnd(script[start:])
		from := start + skipBlank(script[start:start+n])
		if text := script[from : start+n]; text == "" || text == ";" {
			continue
		}
		isDefinition := definition.MatchString(script[from:])
		if isDefinition && inRun {
			spans[len(spans)-1].to = start + n
		} else {
			spans = append(spans, span{from, start + n})
		}
		inRun = isDefinition
	}
	out := make([]statement, len(spans))
	for i, s := range spans {
		lineStart := strings.LastIndexByte(script[:s.from], '\n') + 1
		// Blanks for what stands before it on its line keep the columns in errors true.
		before := strings.Repeat(" ", utf8.RuneCountInString(script[lineStart:s.from]))
		out[i] = statement{before + strings.TrimRight(script[s.from:s.to], " \t\r\n"), strings.Count(script[:s.from], "\n")}
	}
	return out
}

// skipBlank is the length of the white space and comments that s begins with.
func skipBlank(s string) int {
	i := 0
	for i < len(s) {
		switch {
		case strings.IndexByte(" \t\r\n", s[i]) >= 0:
			i++
		case strings.HasPrefix(s[i:], "--"), strings.HasPrefix(s[i:], "/*"):
			i += tokenLen(s[i:])
		default:
			return i
		}
	}
	return i
}

// endsStatement reports whether text ends with a whole statement: a semicolon, and after it nothing but comments.
func endsStatement(text string) bool {
	for start := 0; start < len(text); {
		n, closed := statementEnd(text[start:])
		start += n
		if closed && skipBlank(text[start:]) == len(text)-start {
			return true
		}
	}
	return false
}

// statementEnd is the length of the first statement with its semicolon; closed is false where that is missing.
func statementEnd(s string) (n int, closed bool) {
	for i := 0; i < len(s); {
		if s[i] == ';' {
			return i + 1, true
		}
		i += tokenLen(s[i:])
	}
	return len(s), false
}

// tokenLen is the length of the quoted text or comment that s begins with, to the end of s if it isn't closed; of all else 1.
func tokenLen(s string) int {
	until := func(from int, end string) int {
		if i := strings.Index(s[from:], end); i >= 0 {
			return from + i + len(end)
		}
		return len(s)
	}
	switch {
	case s[0] == '\'' || s[0] == '"':
		return until(1, s[:1]) // a doubled quote is two texts in a row
	case strings.HasPrefix(s, "--"):
		return until(2, "\n")
	case strings.HasPrefix(s, "/*"):
		return until(2, "*/")
	case s[0] == '$':
		if tag := dollarTag.FindString(s); tag != "" {
			return until(len(tag), tag)
		}
	}
	return 1
}

// dollarTag opens a dollar-quoted text; $1 and $name are parameters.
var dollarTag = regexp.MustCompile(`^\$([A-Za-z_][A-Za-z_0-9]*)?\$`)
