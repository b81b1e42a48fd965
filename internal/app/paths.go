package app

import (
	"context"

	"leat/internal/auth"
	"leat/internal/catalog"
)

// paths tells how queries are answered. It implements control.Paths.
type paths struct{ *server }

// SelectPath implements control.Paths.
func (p paths) SelectPath(ctx context.Context, who auth.Principal, sql string) (string, error) {
	path, err := p.query.TextPath(ctx, who, sql)
	return path.String(), err
}

// EndpointPath implements control.Paths.
func (p paths) EndpointPath(ctx context.Context, who auth.Principal, o *catalog.Object) (string, error) {
	path, err := p.query.EndpointPath(ctx, who, o)
	return path.String(), err
}
