package app

import (
	"cmp"
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/uuid"

	"leat/internal/api"
	"leat/internal/auth"
	"leat/internal/ingest"
	"leat/internal/store"
	"leat/internal/store/duckdb"
	"leat/internal/store/loader"
	"leat/internal/types"
)

// apiOptions hands the parts to the HTTP interface.
func (s *server) apiOptions(limits api.Limits) api.Options {
	return api.Options{
		Events: events{s.ingest, s.loader}, Queries: queries{s}, Pushes: pushes{s.query}, Encoder: encoder{}, Tables: tables{s}, DeadLetters: deadLetters{s.letters}, Catalog: described{s},
		Tokens: s.tokens, Meter: s.metrics.HTTP(), Metrics: s.metrics.Handler(), Status: s.status,
		Jobs:  func(context.Context) (any, error) { return map[string]any{"jobs": s.jobs.view()}, nil },
		Alive: func() (bool, any) { return s.health.Alive() }, Ready: func() (bool, any) { return s.health.Ready() },
		Log: s.log, Version: release, Hosts: s.cfg.Hosts, Guards: s.guards(), CORSOrigins: s.cfg.CORSOrigins, Pprof: s.cfg.Pprof,
		Results: s.results, Limits: limits,
	}
}

// guards limit and record requests.
func (s *server) guards() api.Guards {
	limits := func(name string) auth.Limits {
		if o := s.catalog.Snapshot().ByName(name); o != nil && o.Endpoint != nil {
			return auth.Limits(o.Endpoint.Options.Limits)
		}
		return auth.Limits{}
	}
	return api.Guards{Limiter: s.limiter, EndpointLimits: limits, Audit: s.audit.record}
}

// events takes events from HTTP to ingest.
type events struct {
	ingest *ingest.Service
	loader *loader.Loader
}

// Send waits a little first where loading is far behind: senders then slow down smoothly, long before they would be refused.
func (e events) Send(ctx context.Context, r api.SendRequest) (api.SendResult, error) {
	if err := e.loader.Pace(ctx); err != nil {
		return api.SendResult{}, err
	}
	res, err := e.ingest.Send(ctx, ingest.Request{
		Principal: r.Principal, Stream: r.Stream, Body: r.Body, ContentLength: r.ContentLength, ContentType: r.ContentType,
		ContentEncoding: r.ContentEncoding, Strict: r.Strict, WaitVisible: r.WaitVisible, IdempotencyKey: r.IdempotencyKey,
	})
	return api.SendResult{
		Accepted: int64(res.Accepted), DeadLetters: int64(res.DeadLetters), FirstErrors: res.FirstErrors,
		Position: res.Position, Created: res.Created, Duplicate: res.Duplicate,
	}, err
}

// tables writes single rows; each write is answered once SQL and views see it.
type tables struct{ *server }

func (t tables) Put(ctx context.Context, k api.RowKey, body []byte) (types.Position, error) {
	key, err := t.rowKey(k)
	if err != nil {
		return types.Position{}, err
	}
	res, err := t.ingest.Put(ctx, k.Principal, k.Table, key, body)
	return res.Position, rowWriter(t).visible(ctx, res.Position, err)
}

func (t tables) Delete(ctx context.Context, k api.RowKey) (types.Position, error) {
	key, err := t.rowKey(k)
	if err != nil {
		return types.Position{}, err
	}
	res, err := t.ingest.DeleteKey(ctx, k.Principal, k.Table, key)
	return res.Position, rowWriter(t).visible(ctx, res.Position, err)
}

// rowKey spells the key as the values of the table's key columns, in key order.
func (s *server) rowKey(k api.RowKey) ([]string, error) {
	o := s.catalog.Snapshot().ByName(k.Table)
	if o == nil || len(o.PrimaryKey()) == 0 {
		return nil, types.Errorf(types.NotFound, "there is no table %q", k.Table)
	}
	columns := o.PrimaryKey()
	if k.Columns == nil {
		if len(columns) != 1 {
			return nil, types.Errorf(types.InvalidArgument, "the key of %q has %d columns", k.Table, len(columns)).
				WithHint("name them: /v1/tables/%s/rows?%s", k.Table, exampleKey(columns))
		}
		return []string{k.Key}, nil
	}
	var key []string
	for _, c := range columns {
		v, ok := k.Columns[c]
		if !ok || len(k.Columns) != len(columns) {
			return nil, types.Errorf(types.InvalidArgument, "the key of %q is %v", k.Table, columns).
				WithHint("name exactly these columns: ?%s", exampleKey(columns))
		}
		key = append(key, v)
	}
	return key, nil
}

func exampleKey(columns []string) string {
	text := ""
	for i, c := range columns {
		if i > 0 {
			text += "&"
		}
		text += c + "=..."
	}
	return text
}

// deadLetters hands letters between HTTP and ingest, whose IDs are UUIDs.
type deadLetters struct{ letters *ingest.DeadLetters }

func (d deadLetters) List(ctx context.Context, p auth.Principal, stream string, f api.DeadLetterFilter, limit int) ([]api.DeadLetter, error) {
	filter, err := letterFilter(f)
	if err != nil {
		return nil, err
	}
	letters, err := d.letters.List(ctx, p, stream, filter, limit)
	out := make([]api.DeadLetter, len(letters))
	for i := range letters {
		out[i] = letter(&letters[i])
	}
	return out, err
}

func (d deadLetters) Get(ctx context.Context, p auth.Principal, stream, id string) (api.DeadLetter, error) {
	parsed, err := letterID(id)
	if err != nil {
		return api.DeadLetter{}, err
	}
	l, err := d.letters.Show(ctx, p, parsed)
	if err == nil && l.Stream != stream {
		err = types.Errorf(types.NotFound, "stream %q has no dead letter %s", stream, id)
	}
	return letter(&l), err
}

func (d deadLetters) Replay(ctx context.Context, p auth.Principal, stream string, r api.Replay) (api.Replayed, error) {
	filter, err := letterFilter(r.Filter)
	if err != nil {
		return api.Replayed{}, err
	}
	res, err := d.letters.Replay(ctx, p, ingest.Replay{Stream: stream, Filter: filter, Raw: r.Raw, CSV: r.CSV})
	return api.Replayed{
		Replayed: int64(res.Replayed), Failed: int64(res.Failed), Rows: int64(res.Rows), FirstErrors: res.FirstErrors, Position: res.Position,
	}, err
}

func (d deadLetters) Purge(ctx context.Context, p auth.Principal, stream string, f api.DeadLetterFilter) (int64, error) {
	filter, err := letterFilter(f)
	if err != nil {
		return 0, err
	}
	n, err := d.letters.Purge(ctx, p, stream, filter)
	return int64(n), err
}

func letterID(id string) (uuid.UUID, error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return uuid.Nil, types.Errorf(types.InvalidArgument, "%.60q is not the ID of a dead letter", id).WithHint("`leat dead list` shows them")
	}
	return parsed, nil
}

func letterFilter(f api.DeadLetterFilter) (out ingest.Filter, err error) {
	out = ingest.Filter{Reason: f.Reason, Since: f.Since, Before: f.Before}
	for _, id := range f.IDs {
		parsed, err := letterID(id)
		if err != nil {
			return out, err
		}
		out.IDs = append(out.IDs, parsed)
	}
	if f.After != "" {
		out.After, err = letterID(f.After)
	}
	return out, err
}

func letter(l *ingest.Letter) api.DeadLetter {
	return api.DeadLetter{
		ID: l.ID.String(), At: l.At, Raw: l.Raw, Record: l.Record, Format: l.Format, Truncated: l.Truncated, Token: l.Token,
		Reason: &types.Error{Code: l.Reason, Message: l.Message, Path: l.Path, Hint: l.Hint, Line: l.Line},
	}
}

// selector runs SELECTs of Leat's own.
type selector struct{ store *duckdb.Store }

func (s selector) Select(ctx context.Context, sql string, visit func(arrow.RecordBatch) error) error {
	rows, err := s.store.Query(ctx, store.Query{SQL: sql})
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		rec, err := rows.Next(ctx)
		if err != nil || rec == nil {
			return err
		}
		if err := visit(rec); err != nil {
			return err
		}
	}
}

// jobView is a job as GET /v1/jobs shows it.
type jobView struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Started string `json:"started"`
	Error   string `json:"error,omitempty"`
}

func sortByName[T any](list []T, name func(T) string) []T {
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(name(a), name(b)) })
	return list
}
