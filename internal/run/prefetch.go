package run

import (
	"os"
	"slices"
	"strings"

	"leat/internal/types"
)

// inferred is a schema on its way.
type inferred struct {
	ready  chan struct{}
	schema *types.Schema
	err    error
}

// lookAhead infers the schemas of files side by side, before binding asks for one after the other.
func (s *script) lookAhead() {
	script := strings.ToLower(s.Script)
	var sources []Source
	for _, src := range slices.Concat(s.Inputs, s.Tables) {
		info, err := os.Stat(src.Path)
		if err == nil && info.Mode().IsRegular() && s.declared[src.Name] == nil && strings.Contains(script, src.Name) {
			sources = append(sources, src)
		}
	}
	if s.Follow || len(sources) < 2 {
		return
	}
	for _, src := range sources {
		in, err := openInput(src, &s.Options, s.done)
		if err != nil {
			continue // told when it is asked for
		}
		f := &inferred{ready: make(chan struct{})}
		in.ahead, s.ahead[src.Name] = f, in
		go func() {
			defer close(f.ready)
			f.schema, f.err = in.infer()
		}()
	}
}

// open opens a source, or takes it over from lookAhead.
func (s *script) open(src *Source) (*input, error) {
	if in := s.ahead[src.Name]; in != nil {
		delete(s.ahead, src.Name)
		return in, nil
	}
	return openInput(*src, &s.Options, s.done)
}

// sample returns the schema of the first records.
func (in *input) sample() (*types.Schema, error) {
	if in.ahead == nil {
		return in.infer()
	}
	<-in.ahead.ready
	return in.ahead.schema, in.ahead.err
}
