package bind

import "strings"

// segment is a piece of a text to plan: copied from the user's text at offset from, or made up, standing for the place anchor.
type segment struct {
	text   string
	from   int
	anchor int
}

// segments are a text to plan that knows where its pieces came from.
type segments []segment

func (s segments) String() string {
	var b strings.Builder
	for _, g := range s {
		b.WriteString(g.text)
	}
	return b.String()
}

func (s segments) len() int {
	n := 0
	for _, g := range s {
		n += len(g.text)
	}
	return n
}

// origin maps an offset in the text to one in the user's text, -1 if it has none.
func (s segments) origin(offset int) int {
	for i, g := range s {
		if offset < len(g.text) || i == len(s)-1 {
			if g.from >= 0 {
				return g.from + min(offset, len(g.text))
			}
			return g.anchor
		}
		offset -= len(g.text)
	}
	return -1
}

// made is text that stands for a place of the user's.
func made(text string, anchor int) segment { return segment{text: text, from: -1, anchor: anchor} }

// anchored turns a text of a view into one that stands for the view's name.
func (s segments) anchored(anchor int) segment { return made(s.String(), anchor) }
