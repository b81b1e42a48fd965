package fuzzsql

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"leat/internal/types"
	"leat/test/sqltest"
)

var (
	budget = flag.Duration("fuzzsql.time", 60*time.Second, "how long to draw queries")
	seed   = flag.Uint64("fuzzsql.seed", 0, "run this case alone")
	first  = flag.Uint64("fuzzsql.first", 0, "the first seed; 0 draws it")
	keep   = flag.Bool("fuzzsql.keep", false, "write the case of -fuzzsql.seed to testdata/failures")
	most   = flag.Int("fuzzsql.failures", 5, "stop after so many differences")
)

func newChecker(t *testing.T) *checker {
	e := sqltest.NewEngine(t)
	return &checker{e, sqltest.NewBatch(t, e.Parser)}
}

// TestFailures runs what has failed once.
func TestFailures(t *testing.T) {
	files, err := filepath.Glob("testdata/failures/seed-*")
	if err != nil {
		t.Fatal(err)
	}
	k := newChecker(t)
	for _, file := range files {
		c, err := Read(file)
		if err != nil {
			t.Fatal(err)
		}
		o, err := k.run(c)
		switch {
		case err != nil:
			t.Errorf("%s: %v", file, err)
		case o.Refused != nil:
			t.Errorf("%s is refused: %v", file, o.Refused)
		case o.Skipped != nil:
			t.Errorf("%s: DuckDB fails: %v", file, o.Skipped)
		case o.Difference != "":
			t.Errorf("%s: %s\n%s", file, c.Query(), o.Difference)
		}
	}
}

// TestRandomQueries draws cases until its time is over. A difference is reduced and kept in testdata/failures.
func TestRandomQueries(t *testing.T) {
	k := newChecker(t)
	if *seed != 0 {
		c := Draw(*seed)
		k.one(t, c, &tally{})
		if *keep {
			write(t, c)
		}
		return
	}
	next := *first
	if next == 0 {
		next = rand.Uint64() >> 16
	}
	t.Logf("the first seed is %d", next)
	n := &tally{refused: map[string]int{}, skipped: map[string]int{}}
	for end := time.Now().Add(*budget); time.Now().Before(end) && n.different < *most; next++ {
		k.one(t, Draw(next), n)
	}
	t.Logf("%d cases, %d with rows, %d refused, %d fail in DuckDB", n.cases, n.withRows, sum(n.refused), sum(n.skipped))
	for _, of := range []map[string]int{n.refused, n.skipped} {
		for _, reason := range slices.Sorted(maps.Keys(of)) {
			t.Logf("%6d %s", of[reason], reason)
		}
	}
	if n.cases > 100 && (sum(n.refused)*20 > n.cases || n.withRows*3 < n.cases) {
		t.Errorf("too few of %d cases say anything", n.cases)
	}
}

type tally struct {
	cases, withRows, different int
	refused, skipped           map[string]int
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// one runs a case.
func (k *checker) one(t *testing.T, c *Case, n *tally) {
	o, err := k.run(c)
	if err != nil {
		t.Fatalf("seed %d: %v", c.Seed, err)
	}
	n.cases++
	if o.Rows > 0 {
		n.withRows++
	}
	switch {
	case o.Refused != nil && n.refused != nil:
		e := types.AsError(o.Refused)
		n.refused[fmt.Sprintf("refused: %s: %.110s", e.Code, e.Message)]++
	case o.Skipped != nil && n.skipped != nil:
		e := types.AsError(o.Skipped)
		n.skipped[fmt.Sprintf("in DuckDB: %s: %.60s", e.Code, e.Message)]++
	case o.Refused != nil || o.Skipped != nil:
		t.Log(c.Query(), o.Refused, o.Skipped)
	case o.Difference != "":
		n.different++
		small := k.reduce(c, 400)
		again, _ := k.run(small)
		t.Errorf("seed %d: %s\n%s", c.Seed, small.Query(), again.Difference)
		write(t, small)
	}
}

func write(t *testing.T, c *Case) {
	text, err := c.Write()
	if err == nil {
		err = os.WriteFile(filepath.Join("testdata", "failures", fmt.Sprintf("seed-%d", c.Seed)), []byte(text), 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}
