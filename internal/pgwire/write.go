package pgwire

import (
	"context"
	"slices"

	"leat/internal/types"
)

// Bounds of the rows that a transaction holds back until its COMMIT.
const (
	maxPendingRows  = 1_000_000
	maxPendingBytes = 32 << 20
)

// writes are rows that were written and not committed yet. Those of a ROLLBACK were never anywhere else.
type writes struct {
	list  []Write
	rows  int64
	bytes int64
	told  bool // that the transaction doesn't see them
}

func (w *writes) some() bool { return len(w.list) > 0 }
func (w *writes) drop()      { *w = writes{} }

// add holds rows back. Those for the same columns of a table go together, in one append.
func (w *writes) add(one Write) error {
	rows, bytes := one.rows(), int64(0)
	for _, r := range one.Records {
		for _, c := range r.Columns() {
			bytes += int64(c.Data().SizeInBytes())
		}
	}
	if w.rows+rows > maxPendingRows || w.bytes+bytes > maxPendingBytes {
		return withState(types.Errorf(types.LimitExceeded, "a transaction can write %d rows of %d MiB at most", maxPendingRows, maxPendingBytes>>20).
			WithHint("commit more often, or write without a transaction: each statement is then one of its own"), "54000")
	}
	w.rows, w.bytes = w.rows+rows, w.bytes+bytes
	if n := len(w.list) - 1; n >= 0 && w.list[n].Table == one.Table && w.list[n].Delete == one.Delete && slices.Equal(w.list[n].Columns, one.Columns) && sameTypes(&w.list[n], &one) {
		w.list[n].Records = append(w.list[n].Records, one.Records...)
		return nil
	}
	w.list = append(w.list, one)
	return nil
}

// sameTypes reports whether the records of both have the same schema.
func sameTypes(a, b *Write) bool {
	return len(a.Records) > 0 && len(b.Records) > 0 && a.Records[0].Schema().Equal(b.Records[0].Schema())
}

// write takes the rows of a statement: at once, or at the end of its transaction.
func (s *session) write(res Result) (answer, error) {
	n := res.Write.rows()
	if n > 0 {
		if err := s.pending.add(*res.Write); err != nil {
			return answer{}, err
		}
	}
	if s.tx == idle && s.settle {
		if err := s.commitPending(); err != nil {
			return answer{}, err
		}
	}
	return answer{tag: res.Tag + itoa(int(n))}, nil
}

// syncNext reports whether the client has sent Sync already.
func (s *session) syncNext() bool { return s.waiting() && s.in[s.from] == 'S' }

// commitPending appends what was held back: each table's rows at once, all of them or none.
func (s *session) commitPending() error {
	if !s.pending.some() {
		s.pending.drop()
		return nil
	}
	list := s.pending.list
	s.pending.drop()
	ctx, _ := s.guard.begin(s.timeout(), false)
	defer s.guard.end()
	for i, w := range list {
		if _, err := s.server.Backend.Write(ctx, s.principal, w); err != nil {
			return s.halfway(ctx, err, list, i)
		}
	}
	return nil
}

// halfway says what of a transaction is kept where its COMMIT failed after some tables had got their rows.
func (s *session) halfway(ctx context.Context, err error, list []Write, at int) error {
	err = cause(ctx, err)
	if at == 0 {
		return err
	}
	kept := int64(0)
	for _, w := range list[:at] {
		kept += w.rows()
	}
	e := *types.AsError(err)
	e.Message = itoa(int(kept)) + " rows for other tables were kept, the rest was not: " + e.Message
	return &e
}

// before prepares for a statement that is not one of the session's own.
func (s *session) before(kind Kind) error {
	switch {
	case kind == Writes:
		return nil
	case s.tx == idle:
		return s.commitPending()
	case kind == Defines:
		if err := s.commitPending(); err != nil {
			return err
		}
		if !s.warned {
			s.warned = true
			s.warn("01000", "run definitions outside of transactions",
				"a definition takes effect at once, and what the transaction wrote before it: ROLLBACK will not undo them")
		}
	case s.pending.some() && !s.pending.told:
		s.pending.told = true
		s.warn("01000", "COMMIT first", "rows written in this transaction are not seen before COMMIT")
	}
	return nil
}
