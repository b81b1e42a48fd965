package app

import (
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/duck"
	"leat/internal/types"
)

// lazyEvaluator opens its DuckDB when an expression without a kernel first needs it: most queries never do.
type lazyEvaluator struct {
	mu   sync.Mutex // guards duck
	duck *duck.Evaluator
}

func (l *lazyEvaluator) open() (*duck.Evaluator, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.duck == nil {
		e, err := duck.NewEvaluator()
		if err != nil {
			return nil, err
		}
		l.duck = e
	}
	return l.duck, nil
}

// Evaluate implements expr.ArrowEvaluator.
func (l *lazyEvaluator) Evaluate(exprs []string, out []types.Type, in []arrow.Array, inTypes []types.Type, rows int) ([]arrow.Array, []map[int]string, error) {
	e, err := l.open()
	if err != nil {
		return nil, nil, err
	}
	return e.Evaluate(exprs, out, in, inTypes, rows)
}

func (l *lazyEvaluator) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.duck != nil {
		l.duck.Close()
		l.duck = nil
	}
}
