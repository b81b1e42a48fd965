package duck

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/types"
)

// counting is a source of the numbers 0 to n-1 in column a, their texts in b, and the pin in c, in pieces of some rows.
type counting struct {
	columns []int
	pin     string
	next, n int
	piece   int
	failAt  int
	closed  *atomic.Int32
}

var countingColumns = []types.Column{{Name: "a", Type: types.Of(types.BigInt)}, {Name: "b", Type: types.Of(types.Varchar)}, {Name: "c", Type: types.Of(types.Varchar)}}

func (c *counting) Next() (arrow.RecordBatch, error) {
	n := min(c.piece, c.n-c.next)
	if n == 0 {
		return nil, nil
	}
	if c.failAt >= 0 && c.next >= c.failAt {
		return nil, errors.New("broken here")
	}
	a, b, pin := array.NewInt64Builder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator)
	for i := c.next; i < c.next+n; i++ {
		a.Append(int64(i))
		b.Append(fmt.Sprint("text ", i))
		pin.Append(c.pin)
	}
	c.next += n
	all := []arrow.Array{a.NewArray(), b.NewArray(), pin.NewArray()}
	var names []string
	var kinds []types.Type
	var cols []arrow.Array
	for _, i := range c.columns {
		names, kinds, cols = append(names, countingColumns[i].Name), append(kinds, countingColumns[i].Type), append(cols, all[i])
	}
	return Record(names, kinds, cols, n), nil
}

func (c *counting) Close() { c.closed.Add(1) }

func TestSourcesComeInPieces(t *testing.T) {
	db, err := Open("", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var opened, closed atomic.Int32
	var asked atomic.Value
	failAt := -1
	if err := db.DefineSource("counted", countingColumns, func(pin any, columns []int) (TableRows, error) {
		opened.Add(1)
		asked.Store(columns)
		text, _ := pin.(string)
		if text == "refused" {
			return nil, errors.New("not this one")
		}
		return &counting{columns: columns, pin: text, n: 10_001, piece: 3000, failAt: failAt, closed: &closed}, nil
	}); err != nil {
		t.Fatal(err)
	}
	c, err := db.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Release(c)
	for _, q := range []struct{ sql, want, columns string }{
		{"SELECT count(*), sum(a), min(b), max(b) FROM counted()", "[10001 50005000 text 0 text 9999]", "[0 1]"},
		{"SELECT count(*) FROM counted()", "[10001]", ""},
		{"SELECT max(b) FROM counted() WHERE a < 100", "[text 99]", "[0 1]"},
		{"SELECT max(c) FROM counted()", "[first]", "[2]"},
		{"SELECT count(*) FROM counted() x JOIN counted() y USING (a) WHERE x.c = y.c", "[10001]", "[0 2]"},
		{"SELECT b, a FROM counted() LIMIT 1", "[text 0 0]", "[0 1]"},
	} {
		c.SetPin("first")
		got, err := allRows(t, c, q.sql)
		if err != nil || len(got) != 1 || fmt.Sprint(got[0]) != q.want {
			t.Errorf("%s: %v %v, want %s", q.sql, got, err, q.want)
		}
		if q.columns != "" && sorted(asked.Load().([]int)) != q.columns {
			t.Errorf("%s asked for columns %v, want %s", q.sql, asked.Load(), q.columns)
		}
		if opened.Load() != closed.Load() {
			t.Errorf("%s: %d readings opened, %d closed", q.sql, opened.Load(), closed.Load())
		}
	}
	c.SetPin("refused")
	if _, err := allRows(t, c, "SELECT a FROM counted()"); err == nil || !strings.Contains(err.Error(), "not this one") {
		t.Errorf("got %v", err)
	}
	opened.Store(closed.Load())
	c.SetPin(nil)
	failAt = 6000
	if _, err := allRows(t, c, "SELECT sum(a) FROM counted()"); err == nil || !strings.Contains(err.Error(), "broken here") {
		t.Errorf("got %v", err)
	}
	if opened.Load() != closed.Load() {
		t.Errorf("after a failure: %d readings opened, %d closed", opened.Load(), closed.Load())
	}
}

func sorted(columns []int) string {
	out := slices.Clone(columns)
	slices.Sort(out)
	return fmt.Sprint(out)
}

// allRows reads a result as texts.
func allRows(t *testing.T, c *Conn, sql string) (rows [][]string, err error) {
	t.Helper()
	r, err := c.Query(t.Context(), sql, nil, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		rec, err := r.Next(t.Context())
		if err != nil || rec == nil {
			return rows, err
		}
		for i := range int(rec.NumRows()) {
			var row []string
			for _, col := range rec.Columns() {
				row = append(row, strings.Clone(col.ValueStr(i))) // it lies in DuckDB, until the next record
			}
			rows = append(rows, row)
		}
	}
}
