package control

import (
	"reflect"
	"time"

	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// alter changes one object: all of its actions, as one new version.
func (p *planner) alter(st *ddl.Alter) (Result, error) {
	r := Result{Statement: "ALTER " + keyword(catalog.Kind(st.Kind)), Name: st.Name.Name, Status: unchanged}
	o, err := p.find(st.Name, st.Kind, "ALTER")
	if types.HasCode(err, types.UnknownRelation) && st.IfExists {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	p.places[o.ID] = st.Name.Pos
	n := *o
	if hasLog(o) {
		n = *cloneStream(o)
	}
	for _, a := range st.Actions {
		if err := p.act(&n, a, st.Name.Pos); err != nil {
			return r, err
		}
	}
	if hasLog(o) && !reflect.DeepEqual(n.Stream.Schema, o.Stream.Schema) {
		if err := n.Stream.Schema.Validate(); err != nil {
			return r, place(p.script, st.Name.Pos, types.AsError(err))
		}
		n.Stream.Schema.Version++
	}
	if n.Name == o.Name && reflect.DeepEqual(n.Stream, o.Stream) && reflect.DeepEqual(n.Endpoint, o.Endpoint) {
		return r, nil
	}
	r.Status = altered
	p.draft.replace(&n)
	return r, nil
}

// act carries out one action on a copy of an object.
func (p *planner) act(o *catalog.Object, action ddl.Action, pos int) error {
	if a, ok := action.(ddl.RenameTo); ok {
		return p.rename(o, a.Name)
	}
	s := o.Stream
	if s == nil {
		return p.actOnQuery(o, action, pos)
	}
	switch a := action.(type) {
	case ddl.RenameColumn:
		return p.renameColumn(s.Schema, a)
	case ddl.SetType:
		return p.setType(o, a)
	case ddl.SetNotNull:
		return p.setNotNull(s, a)
	case ddl.AddColumn:
		if a.IfNotExists && s.Schema.Index(a.Column.Name.Name) >= 0 {
			return nil
		}
		return p.addColumn(s.Schema, &a.Column)
	case ddl.DropColumn:
		return p.dropColumn(o, a)
	case ddl.SetEventTime:
		s.Time.Watermarked, s.Time.Delay = false, 0
		return p.setEventTime(s, a.Column)
	case ddl.DropEventTime:
		s.Time.Column, s.Time.Watermarked, s.Time.Delay = 0, false, 0
	case ddl.SetWatermark:
		s.Time.Column = 0
		return p.setWatermark(s, &a.Watermark)
	case ddl.DropWatermark:
		s.Time.Watermarked, s.Time.Delay = false, 0
	case ddl.SetOptions:
		return p.alterOptions(s, &a.Options, pos)
	case ddl.ResetOptions:
		return p.resetOptions(s, a.Names)
	}
	return nil
}

func (p *planner) actOnQuery(o *catalog.Object, action ddl.Action, pos int) error {
	if o.Endpoint != nil {
		e := *o.Endpoint
		o.Endpoint = &e
		switch a := action.(type) {
		case ddl.SetOptions:
			if err := setEndpointOptions(&e, &a.Options); err != nil {
				return place(p.script, pos, types.AsError(err))
			}
			return nil
		case ddl.ResetOptions:
			resetEndpointOptions(&e, a.Names)
			return nil
		}
	}
	return p.fail(pos, types.Unsupported, "a %s can only be renamed", kindOf(o)).
		WithHint("CREATE OR REPLACE %s %s ... changes it", words(o), types.QuoteIdent(o.Name))
}

func (p *planner) rename(o *catalog.Object, to ddl.ObjectName) error {
	if err := p.public(to); err != nil {
		return err
	}
	if err := types.CheckObjectName(to.Name); err != nil {
		return place(p.script, to.Pos, types.AsError(err))
	}
	if other := p.draft.byName(to.Name); other != nil && other.ID != o.ID {
		return p.fail(to.Pos, types.AlreadyExists, "%s %q already exists", other.Kind, other.Name)
	}
	if of, _ := p.draft.index(to.Name); of != nil {
		return p.fail(to.Pos, types.AlreadyExists, "%q is an index of %q", to.Name, of.Name).WithHint(oneNameSpace)
	}
	o.Name = to.Name
	return nil
}

func (p *planner) renameColumn(s *types.Schema, a ddl.RenameColumn) error {
	i, err := p.column(s, a.From)
	if err != nil {
		return err
	}
	if err := types.CheckColumnName(a.To.Name); err != nil {
		return place(p.script, a.To.Pos, types.AsError(err))
	}
	if j := s.Index(a.To.Name); j >= 0 && j != i {
		return p.fail(a.To.Pos, types.AlreadyExists, "there is a column %q already", s.Columns[j].Name)
	}
	c := &s.Columns[i]
	if len(c.Path) == 0 {
		c.Path = []string{c.Name} // records keep the old key
	}
	c.Name = a.To.Name
	return nil
}

func (p *planner) alterOptions(s *catalog.Stream, o *ddl.Options, pos int) error {
	if n := o.Partitions; n != nil && *n != s.Partitions {
		switch {
		case *n < s.Partitions:
			return p.fail(pos, types.Unsupported, "partitions can't become fewer: there are %d", s.Partitions)
		case len(s.PartitionBy) > 0 || len(s.PrimaryKey) > 0:
			return p.fail(pos, types.Unsupported, "rows are placed by a key: more partitions would put new rows of a key beside its old ones")
		}
	}
	if o.EventTime != nil {
		s.Time.Watermarked, s.Time.Delay = false, 0
	}
	return p.setOptions(s, o)
}

func (p *planner) resetOptions(s *catalog.Stream, names []ddl.Ident) error {
	for _, n := range names {
		switch n.Name {
		case "ttl":
			s.TTL = 0
		case "max_future":
			s.Time.MaxFuture = 0
		case "idle":
			s.Time.Idle = time.Duration(0)
		case "closed":
			s.Closed = false
		case "description":
			s.Description = ""
		case "event_time":
			s.Time.Column, s.Time.Watermarked, s.Time.Delay = 0, false, 0
		default:
			return p.fail(n.Pos, types.Unsupported, "option %s can't be reset", n.Name)
		}
	}
	return nil
}
