package fuzzsql

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// Draw makes the case of a seed.
func Draw(seed uint64) *Case {
	r := rand.New(rand.NewPCG(seed, 0))
	c := &Case{Seed: seed, rels: schema(r)}
	g := &gen{r: r, rels: c.rels}
	c.query = g.top()
	c.Events = events(r, c.rels, []int{1, 8, 25, 60, 150}[r.IntN(5)])
	most := []int{1, 4, 12, 100}[r.IntN(4)]
	for left := len(c.Events); left > 0; {
		n := 1 + r.IntN(most)
		c.Steps = append(c.Steps, n)
		left -= n
	}
	c.Every = 1 + len(c.Steps)/(1+r.IntN(5))
	// A query that gives the windows of one stream as they are.
	q := c.query
	c.Close = len(q.ctes) == 0 && len(q.from) == 1 && q.from[0].mark == " /*late*/" && len(q.out) > 1 && r.IntN(2) == 0
	return c
}

// header is the first line of a file.
type header struct {
	Seed  uint64 `json:"seed"`
	Steps []int  `json:"steps"`
	Every int    `json:"every"`
	Close bool   `json:"close,omitempty"`
	Rels  []struct {
		Name    string        `json:"name"`
		Columns []string      `json:"columns"`
		Kinds   []int         `json:"kinds"`
		Keyed   int           `json:"keyed"`
		Delay   time.Duration `json:"delay"`
	} `json:"relations"`
}

// Write prints a case for a file: a line of JSON, the statements for people, the query, and an event a line.
func (c *Case) Write() (string, error) {
	h := header{Seed: c.Seed, Steps: c.Steps, Every: c.Every, Close: c.Close}
	var ddl []string
	for _, r := range c.rels {
		x := h.Rels[:0:0]
		x = append(x, struct {
			Name    string        `json:"name"`
			Columns []string      `json:"columns"`
			Kinds   []int         `json:"kinds"`
			Keyed   int           `json:"keyed"`
			Delay   time.Duration `json:"delay"`
		}{Name: r.name, Keyed: r.keyed, Delay: r.delay})
		for _, col := range r.columns {
			x[0].Columns, x[0].Kinds = append(x[0].Columns, col.name), append(x[0].Kinds, int(col.kind))
		}
		h.Rels = append(h.Rels, x[0])
		ddl = append(ddl, "-- "+r.ddl())
	}
	first, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	out := []string{string(first), strings.Join(ddl, "\n"), c.Query(), "---"}
	for _, e := range c.Events {
		line, err := json.Marshal(e)
		if err != nil {
			return "", err
		}
		out = append(out, string(line))
	}
	return strings.Join(out, "\n") + "\n", nil
}

// Read is the inverse of Write.
func Read(path string) (*Case, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	head, lines, ok := strings.Cut(string(text), "\n---\n")
	first, query, ok2 := strings.Cut(head, "\n")
	if !ok || !ok2 {
		return nil, fmt.Errorf("%s is no case", path)
	}
	var h header
	if err := json.Unmarshal([]byte(first), &h); err != nil {
		return nil, err
	}
	c := &Case{Seed: h.Seed, Steps: h.Steps, Every: max(1, h.Every), Close: h.Close, text: query}
	for _, r := range h.Rels {
		rel := &relation{name: r.Name, keyed: r.Keyed, delay: r.Delay}
		for i, name := range r.Columns {
			rel.columns = append(rel.columns, column{name, kind(r.Kinds[i])})
		}
		c.rels = append(c.rels, rel)
	}
	d := json.NewDecoder(strings.NewReader(lines))
	d.UseNumber()
	for d.More() {
		var e event
		if err := d.Decode(&e); err != nil {
			return nil, err
		}
		c.Events = append(c.Events, e)
	}
	return c, nil
}
