package control

import (
	"time"

	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// setWatermark sets event time and watermark; nil changes nothing.
func (p *planner) setWatermark(s *catalog.Stream, w *ddl.Watermark) error {
	if w == nil {
		return nil
	}
	if s.Time.Column != 0 {
		if i := s.Schema.IndexID(s.Time.Column); i != s.Schema.Index(w.Column.Name) && !s.Time.Watermarked {
			return p.fail(w.Column.Pos, types.InvalidArgument, "the event time is %q, the watermark is for %q", s.Schema.Columns[i].Name, w.Column.Name)
		}
	}
	if err := p.setEventTime(s, w.Column); err != nil {
		return err
	}
	s.Time.Watermarked, s.Time.Delay = true, w.Delay
	return nil
}

func (p *planner) setEventTime(s *catalog.Stream, name ddl.Ident) error {
	i, err := p.column(s.Schema, name)
	if err != nil {
		return err
	}
	if t := s.Schema.Columns[i].Type; !t.Kind.IsTime() {
		return p.fail(name.Pos, types.TypeMismatch, "column %q is %s; an event time is TIMESTAMP or TIMESTAMP WITH TIME ZONE", name.Name, t)
	}
	s.Time.Column = s.Schema.Columns[i].ID
	return nil
}

// setOptions sets the options that are given.
func (p *planner) setOptions(s *catalog.Stream, o *ddl.Options) error {
	set(&s.TTL, o.TTL)
	set(&s.Time.MaxFuture, o.MaxFuture)
	set(&s.Closed, o.Closed)
	set(&s.Description, o.Description)
	if o.Idle != nil {
		s.Time.Idle = *o.Idle
		if *o.Idle == 0 {
			s.Time.Idle = -time.Nanosecond
		}
	}
	if o.Partitions != nil {
		if *o.Partitions < 1 || *o.Partitions > maxPartitions {
			return types.Errorf(types.InvalidArgument, "partitions = %d; it is 1 to %d", *o.Partitions, maxPartitions)
		}
		s.Partitions = *o.Partitions
	}
	if o.EventTime != nil {
		return p.setEventTime(s, *o.EventTime)
	}
	return nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}
