// Package slt runs SQL cases with their expected rows: golden files in testdata, one a feature.
//
// A file is directives, each a line "== word ..." and the text until the next:
//
//	== setup            statements before the queries of all following cases
//	== input NAME       the records of a relation, for all following cases
//	== case NAME        a query, then sections, each a line "---- word ..." and its text:
//	                    rows      what it prints, sorted (written by -update)
//	                    ordered   the same in the order that it is printed in; stands in a case as "---- ordered" before the first -update
//	                    error     code and place, line:column in setup and query together
//	                    told      the counts that are told on stderr, one a line
//	                    batch     a query for DuckDB where the case's own would not leave out late rows: names end with _wm and have _wm;
//	                              or "none" and the reason
package slt

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// file is one golden file.
type file struct {
	path  string
	parts []*part
}

// part is a directive, or a case with sections.
type part struct {
	word, arg, text string
	sections        []*section
}

type section struct{ word, arg, text string }

func (p *part) section(word string) *section {
	i := slices.IndexFunc(p.sections, func(s *section) bool { return s.word == word })
	if i < 0 {
		return nil
	}
	return p.sections[i]
}

// set replaces a section's text, or appends the section.
func (p *part) set(word, text string) {
	if s := p.section(word); s != nil {
		s.text = text
		return
	}
	p.sections = append(p.sections, &section{word: word, text: text})
}

func (p *part) drop(word string) {
	p.sections = slices.DeleteFunc(p.sections, func(s *section) bool { return s.word == word })
}

func read(path string) (*file, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &file{path: path}
	for i, line := range strings.SplitAfter(string(text), "\n") {
		word, arg, _ := strings.Cut(strings.TrimSpace(strings.TrimLeft(line, "=-")), " ")
		switch {
		case strings.HasPrefix(line, "== "):
			f.parts = append(f.parts, &part{word: word, arg: arg})
		case len(f.parts) == 0:
			return nil, fmt.Errorf("%s:%d: text before the first directive", path, i+1)
		case strings.HasPrefix(line, "---- "):
			p := f.parts[len(f.parts)-1]
			p.sections = append(p.sections, &section{word: word, arg: arg})
		default:
			p := f.parts[len(f.parts)-1]
			if n := len(p.sections); n > 0 {
				p.sections[n-1].text += line
			} else {
				p.text += line
			}
		}
	}
	return f, nil
}

// write prints the file as read reads it.
func (f *file) write() error {
	var b strings.Builder
	line := func(mark, word, arg string) { b.WriteString(strings.TrimSpace(mark+" "+word+" "+arg) + "\n") }
	block := func(text string) {
		if text = strings.Trim(text, "\n"); text != "" {
			b.WriteString(text + "\n")
		}
	}
	for i, p := range f.parts {
		if i > 0 {
			b.WriteByte('\n')
		}
		line("==", p.word, p.arg)
		block(p.text)
		for _, s := range p.sections {
			line("----", s.word, s.arg)
			block(s.text)
		}
	}
	return os.WriteFile(f.path, []byte(b.String()), 0o644)
}
