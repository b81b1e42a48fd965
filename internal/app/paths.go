package app

import (
	"context"
	"time"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/observe"
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

// observePath makes a metric of how long answers take on a path.
func (s *server) observePath(path string) func(time.Duration) {
	return s.metrics.Histogram(observe.Desc{Name: "leat_query_seconds", Labels: map[string]string{"path": path},
		Help: "Time of a query by its path: fast is straight from the engine's state, store until its first rows."}, observe.LatencyBuckets).Observe
}

func (s *server) registerPaths() {
	s.metrics.RegisterEach(observe.Desc{Name: "leat_query_path_total", Help: "Queries answered, by path: fast or store.", Kind: observe.Counter}, []string{"path"},
		func(emit func(float64, ...string)) {
			m := s.query.Metrics()
			emit(float64(m.Fast), "fast")
			emit(float64(m.Store), "store")
		})
}
