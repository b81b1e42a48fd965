package duck

import (
	"context"

	ddb "github.com/duckdb/duckdb-go-bindings"

	"leat/internal/types"
)

// Describe prepares one SELECT: columns are nil where their types depend on those of the values of parameters; params are the types that the text
// gives its parameters, without those that it leaves open.
func (c *Conn) Describe(ctx context.Context, sql string) (columns []types.Column, params map[string]types.Type, err error) {
	s, err := c.prepare(ctx, sql)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	params = map[string]types.Type{}
	for i := ddb.IdxT(1); i <= ddb.NParams(s.ps); i++ {
		lt := ddb.ParamLogicalType(s.ps, i)
		if t, ok := typeOf(lt); ok {
			params[ddb.ParameterName(s.ps, i)] = t
		}
		ddb.DestroyLogicalType(&lt)
	}
	if ddb.PreparedStatementColumnType(s.ps, 0) == ddb.TypeInvalid {
		return nil, params, nil
	}
	for i := range ddb.PreparedStatementColumnCount(s.ps) {
		lt := ddb.PreparedStatementColumnLogicalType(s.ps, i)
		t, ok := typeOf(lt)
		if !ok {
			t = types.Of(types.Varchar) // what Query casts it to
		}
		columns = append(columns, types.Column{ID: int32(i + 1), Name: ddb.PreparedStatementColumnName(s.ps, i), Type: t})
		ddb.DestroyLogicalType(&lt)
	}
	return columns, params, nil
}
