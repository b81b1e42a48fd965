package query

import (
	"context"
	"sync"

	"leat/internal/store"
	"leat/internal/types"
)

// Param is a parameter of a statement.
type Param struct {
	// Name is the parameter's; a positional one's is "1", "2", ...
	Name string
	// Type is the type that the statement gives it. Of a parameter that it leaves open it is VARCHAR, and Open is set.
	Type types.Type
	Open bool
}

// described keeps what the store has told of a statement.
type described struct {
	mu sync.Mutex // guards what follows
	by *store.Description
}

func (d *described) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.by = nil
}

// Describe tells the columns of a statement's result and its parameters, in the order of Params, without running it. Columns are nil where they depend
// on the types of values that the parameters will have. What it finds is kept with the statement.
func (s *Service) Describe(ctx context.Context, st *Statement) (columns []types.Column, params []Param, err error) {
	if st, err = s.again(ctx, st); err != nil {
		return nil, nil, err
	}
	d, err := s.describe(ctx, st)
	if err != nil {
		return nil, nil, st.text.place(err)
	}
	for _, name := range st.verdict.Params {
		p := Param{Name: name, Type: types.Of(types.Varchar)}
		if t, ok := st.declared[name]; ok {
			p.Type = t
		} else if t, ok := d.Params[name]; ok {
			p.Type = t
		} else {
			p.Open = true
		}
		params = append(params, p)
	}
	return d.Columns, params, nil
}

func (s *Service) describe(ctx context.Context, st *Statement) (*store.Description, error) {
	st.described.mu.Lock()
	defer st.described.mu.Unlock()
	if st.described.by != nil {
		return st.described.by, nil
	}
	describer, ok := s.Store.(store.Describer)
	if !ok {
		return nil, types.Errorf(types.Unsupported, "this store can't describe statements before they run")
	}
	d, err := describer.Describe(ctx, st.verdict.SQL)
	if err != nil {
		return nil, err
	}
	st.described.by = &d
	return &d, nil
}
