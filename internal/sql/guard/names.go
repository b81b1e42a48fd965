package guard

import "strings"

// naming knows how large the values may be that a column's name can stand for: a name may be an alias, of the statement, a CTE,
// a subquery or a view. Names are not resolved by scope: a name counts as the largest value that it has anywhere.
type naming struct {
	defs  map[string][]node
	sizes map[string]float64
	// unnamed are expressions of select lists without an alias, which any name may reach (UNION, column lists).
	unnamed []node
	// listed are names given by lists: t(a, b).
	listed map[string]bool
	// numbers are parameters of lambdas that run over a series.
	numbers map[string]bool
	// unnamedSize and largest are the largest of unnamed and of all.
	unnamedSize, largest float64
	roots                []root
	// varies is set by what makes the answer another one at another time.
	varies bool
}

func newNaming() *naming {
	return &naming{defs: map[string][]node{}, sizes: map[string]float64{}, listed: map[string]bool{}, numbers: map[string]bool{}, unnamedSize: 1, largest: columnSize}
}

// collect adds the names of one statement.
func (m *naming) collect(statement node) {
	each(statement, func(n node) bool {
		m.varies = m.varies || child(n, "sample") != nil
		if alias := strings.ToLower(str(n, "alias")); alias != "" && str(n, "class") != "" {
			m.defs[alias] = append(m.defs[alias], n)
		}
		for _, e := range items(n, "select_list") {
			if class := str(e, "class"); str(e, "alias") == "" && class != "COLUMN_REF" && class != "STAR" && class != "CONSTANT" {
				m.unnamed = append(m.unnamed, e)
			}
		}
		for _, key := range []string{"aliases", "column_name_alias"} {
			for _, v := range list(n, key) {
				if s, ok := v.(string); ok {
					m.listed[strings.ToLower(s)] = true
				}
			}
		}
		for _, entry := range items(n, "replace_list") {
			name := strings.ToLower(str(entry, "key"))
			if e := child(entry, "value"); e != nil {
				m.defs[name] = append(m.defs[name], e)
			}
		}
		if str(n, "function_name") != "" {
			m.parameters(n)
		}
		return true
	})
}

// parameters lets a lambda's parameter count as the list that it runs over, unless that is a series of numbers.
func (m *naming) parameters(call node) {
	args := items(call, "children")
	if len(args) < 2 || str(args[1], "class") != "LAMBDA" {
		return
	}
	over := strings.ToLower(str(args[0], "function_name"))
	each(args[1]["lhs"], func(p node) bool {
		parts := names(p)
		if parts == nil {
			return true
		}
		name := strings.ToLower(parts[len(parts)-1])
		if over == "range" || over == "generate_series" {
			m.numbers[name] = true
		} else {
			m.defs[name] = append(m.defs[name], args[0])
		}
		return true
	})
}

// maxRounds is how many times sizes are carried from one name to those that use it. Growth by concatenation at least doubles in a
// round, so that what still grows then is beyond every limit.
const maxRounds = 64

// settle finds the sizes of all names.
func (m *naming) settle(c *checker) {
	count := len(m.unnamed)
	for _, d := range m.defs {
		count += len(d)
	}
	for range min(maxRounds, count) {
		grown := false
		raise := func(to *float64, v float64) {
			if v > *to {
				*to, grown = v, true
			}
		}
		next := make(map[string]float64, len(m.defs))
		unnamed := m.unnamedSize
		for name, exprs := range m.defs {
			size := m.sizes[name]
			for _, e := range exprs {
				raise(&size, c.load(e).size)
			}
			next[name] = size
			raise(&m.largest, size)
		}
		for _, e := range m.unnamed {
			raise(&unnamed, c.load(e).size)
		}
		m.sizes, m.unnamedSize, m.largest = next, unnamed, max(m.largest, unnamed)
		if !grown || m.largest > MaxWork {
			return
		}
	}
}

// size is the largest value that a reference may stand for; each of its parts may be a struct's field.
func (m *naming) size(parts []string) float64 {
	size := float64(columnSize)
	if len(parts) == 1 && m.numbers[strings.ToLower(parts[0])] {
		size = 1
	}
	for _, p := range parts {
		p = strings.ToLower(p)
		s, known := m.sizes[p]
		if known || m.listed[p] || strings.ContainsAny(p, "( ") {
			size = max(size, s, m.unnamedSize)
		}
		if m.listed[p] {
			size = max(size, m.largest)
		}
	}
	return size
}
