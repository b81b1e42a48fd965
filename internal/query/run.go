package query

import (
	"context"
	"time"

	"leat/internal/store"
	"leat/internal/types"
)

// Run is how a statement is run.
type Run struct {
	// Args are the values of named parameters or, by keys "1", "2", ..., of positional ones; numbers may be json.Number.
	Args map[string]any
	// Limit is the most rows to answer; 0 is DefaultLimit.
	Limit int
	Freshness
	// Have, if set, is asked with Result.Stamp before anything is executed, where the statement has one: true says that the caller has that answer,
	// and the result comes without Rows.
	Have func(stamp string) bool
}

// Freshness is what an answer must include at least.
type Freshness struct {
	// After is a position that the answer must include; the zero value waits for nothing.
	After types.Position
	// MaxStaleness is how far the answer may lag behind the log; the answer waits until it doesn't, or ctx ends (types.Timeout). 0 asks for nothing.
	MaxStaleness time.Duration
}

// Result is an answer being read. The caller closes Rows, which is nil where Run.Have said so.
type Result struct {
	Rows store.Rows
	// Position is up to where the rows saw the partitions that they come from, at least.
	Position types.Position
	// Watermark is the least of what was read, in µs, types.NoWatermark where there is none.
	Watermark int64
	// Lag is how long ago the oldest event was appended that the rows don't include; 0 where they include all.
	Lag time.Duration
	// Stamp is equal for two runs that must answer the same; "" where that can't be known.
	Stamp string
	// Direct is set where the rows come from the engine's state alone; they are in memory then, and Truncated is known at once.
	Direct bool
}

// Run runs a statement. ctx governs it until Rows is closed.
func (s *Service) Run(ctx context.Context, st *Statement, r Run) (*Result, error) {
	st, err := s.again(ctx, st)
	if err != nil {
		return nil, err
	}
	r.Args = Values(r.Args)
	return s.runBound(ctx, st, r)
}

// runBound runs a statement that was prepared for the present definitions; the arguments are such as the store takes, and this run's own.
func (s *Service) runBound(ctx context.Context, st *Statement, r Run) (_ *Result, err error) {
	if err := st.bindFilters(r.Args); err != nil {
		return nil, err
	}
	if r.Limit, err = st.limit(r.Limit); err != nil {
		return nil, err
	}
	res, err := st.scrubbed(s.run(ctx, st, r))
	if err == nil {
		return res, nil
	}
	if e := types.AsError(err); st.verdict.Rewritten && e.Line > 0 {
		shown := *e
		shown.Line, shown.Column = 0, 0 // places of a text that the user never saw
		err = &shown
	}
	return nil, st.text.place(err)
}

// limit is the most rows of a run, within what the principal may ask for.
func (st *Statement) limit(asked int) (int, error) {
	if asked < 0 || asked > MaxLimit {
		return 0, types.Errorf(types.InvalidArgument, "limit %d: at least 1, at most %d", asked, MaxLimit)
	}
	if asked == 0 {
		asked = DefaultLimit
	}
	if most := st.text.Principal.Limits.MaxRows; most > 0 {
		asked = min(asked, most)
	}
	return asked, nil
}

// run waits for what the answer must include, pins what the engine serves and asks the store.
func (s *Service) run(ctx context.Context, st *Statement, r Run) (*Result, error) {
	if err := s.wait(ctx, r.Freshness, st.reads); err != nil {
		return nil, err
	}
	m, err := s.moment(ctx, st.reads)
	if err != nil {
		return nil, err
	}
	res := m.result(ctx)
	if res.Stamp = m.stamp(st, r); res.Stamp != "" && r.Have != nil && r.Have(res.Stamp) {
		m.release()
		return res, nil
	}
	began := time.Now()
	if rows := s.fast(ctx, st, m, r); rows != nil {
		s.fastRuns.Add(1)
		if s.ObserveFast != nil {
			s.ObserveFast(time.Since(began))
		}
		m.release() // the rows are copies
		res.Rows, res.Direct = rows, true
		return res, nil
	}
	if st.verdict.Sized {
		if err := s.Guard.CheckArgs(ctx, st.text.SQL, relations{s.Catalog(), s.System}, r.Args); err != nil {
			m.release()
			return nil, err
		}
	}
	q := store.Query{SQL: st.verdict.SQL, Args: r.Args, MaxRows: r.Limit, Typed: st.declared != nil}
	if m.pinned != nil {
		q.Live = m.pinned
	}
	rows, err := s.Store.Query(ctx, q)
	if err != nil {
		m.release()
		return nil, err
	}
	s.storeRuns.Add(1)
	if s.ObserveStore != nil {
		s.ObserveStore(time.Since(began))
	}
	res.Rows = &pinnedRows{Rows: rows, moment: m}
	return res, nil
}

// pinnedRows gives back what was pinned for a result.
type pinnedRows struct {
	store.Rows
	moment *moment
}

// Close is part of store.Rows.
func (r *pinnedRows) Close() error {
	err := r.Rows.Close()
	r.moment.release()
	return err
}
