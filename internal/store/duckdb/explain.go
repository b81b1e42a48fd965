package duckdb

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"leat/internal/duck"
	"leat/internal/types"
)

// Explain returns the plan of a SELECT that has passed the guard: one operator a line, indented below the one that reads it, with the names that users know.
// Rows of a stream or table come from its file and from its tail, which holds what arrived last.
func (s *Store) Explain(ctx context.Context, sql string) (string, error) {
	db, conn, err := s.reader(ctx)
	if err != nil {
		return "", err
	}
	defer release(db, conn)
	plan, err := conn.Explain(ctx, sql)
	if err != nil {
		return "", s.note(err)
	}
	p := planPrinter{relations: *s.known.Load()}
	p.print(plan, 0)
	return strings.TrimRight(p.out.String(), "\n"), nil
}

type planPrinter struct {
	relations map[types.ObjectID]*relation
	out       strings.Builder
}

// hidden are details that say nothing to users.
var hidden = map[string]bool{"Type": true, "Estimated Cardinality": true, "Table": true}

func (p *planPrinter) print(plan *duck.Plan, depth int) {
	name := strings.TrimSpace(plan.Name)
	live := livePattern.FindStringSubmatch(name)
	if live != nil {
		name = "LIVE_ROWS " + p.live(live[1])
	}
	fmt.Fprintf(&p.out, "%s%s", strings.Repeat("  ", depth), name)
	if table, ok := plan.Info["Table"].(string); ok {
		fmt.Fprintf(&p.out, " %s", p.table(table))
	}
	names := p.columns(plan)
	for _, label := range slices.Sorted(maps.Keys(plan.Info)) {
		if text := details(plan.Info[label]); text != "" && !hidden[label] && (live == nil || label != "Function") {
			fmt.Fprintf(&p.out, "  %s: %s", strings.ToLower(label), publicColumns(text, names))
		}
	}
	if n, ok := plan.Info["Estimated Cardinality"].(string); ok {
		fmt.Fprintf(&p.out, "  ~%s rows", n)
	}
	p.out.WriteByte('\n')
	for _, child := range plan.Children {
		p.print(child, depth+1)
	}
}

// details is a value of Plan.Info as one line.
func details(v any) string {
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for i, e := range list {
			parts[i] = details(e)
		}
		return strings.Join(parts, ", ")
	}
	return strings.ReplaceAll(strings.TrimSpace(fmt.Sprint(v)), "\n", ", ")
}

// livePattern are the operators that read live relations.
var livePattern = regexp.MustCompile(`^LEAT_LIVE_(\d+)$`)

// live is the name of a live relation.
func (p *planPrinter) live(id string) string {
	n, err := strconv.ParseUint(id, 10, 64)
	if r := p.relations[types.ObjectID(n)]; err == nil && r != nil {
		return r.Name
	}
	return id
}

var tablePattern = regexp.MustCompile(`(?:^|\.)s_(\d+)(_\d+_\d+)?$`)

// relation is the stream or table that a physical table belongs to, nil for others.
func (p *planPrinter) relation(table string) (r *relation, inTail bool) {
	m := tablePattern.FindStringSubmatch(table)
	if m == nil {
		return nil, false
	}
	id, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		return nil, false
	}
	return p.relations[types.ObjectID(id)], m[2] != ""
}

func (p *planPrinter) table(name string) string {
	r, inTail := p.relation(name)
	switch {
	case r == nil:
		return name[strings.LastIndexByte(name, '.')+1:]
	case inTail:
		return r.Name + " (tail)"
	}
	return r.Name
}

// columns are the public names of the physical columns that a plan reads. Where two relations of a join have the same physical name, both are given.
func (p *planPrinter) columns(plan *duck.Plan) map[string]string {
	names := map[string]string{"_offset": "_leat_offset", "_partition": "_leat_partition", "_at": "_leat_received_at"}
	seen := map[*relation]bool{}
	var visit func(*duck.Plan)
	visit = func(plan *duck.Plan) {
		table, _ := plan.Info["Table"].(string)
		if r, _ := p.relation(table); r != nil && !seen[r] {
			seen[r] = true
			for _, c := range r.Schema.Columns {
				if other, ok := names[columnName(c.ID)]; !ok {
					names[columnName(c.ID)] = c.Name
				} else if other != c.Name {
					names[columnName(c.ID)] = other + "|" + c.Name
				}
			}
		}
		for _, child := range plan.Children {
			visit(child)
		}
	}
	visit(plan)
	return names
}

// physicalColumn matches a physical column, and literals and quoted names, which stay as they are.
var physicalColumn = regexp.MustCompile(`'(?:[^']|'')*'|"(?:[^"]|"")*"|\b(?:c\d+|_offset|_partition|_at)\b`)

func publicColumns(text string, names map[string]string) string {
	return physicalColumn.ReplaceAllStringFunc(text, func(found string) string {
		if name, ok := names[found]; ok {
			return name
		}
		return found
	})
}
