package guard

import (
	_ "embed"
	"slices"
	"strings"

	"leat/internal/types"
)

// The lists hold every function of DuckDB 1.5.5, one name a line: those that users may call, and those that run text, read files or
// the server's state, change settings, sleep, or belong to DuckDB's inside. A test compares them with the running DuckDB.
var (
	//go:embed functions.txt
	functionsText string
	//go:embed table_functions.txt
	tableFunctionsText string
	//go:embed refused.txt
	refusedText string
	//go:embed refused_table.txt
	refusedTableText string

	functions      = set(functionsText)
	tableFunctions = set(tableFunctionsText)
	refused        = set(refusedText)
	refusedTable   = set(refusedTableText)
	// volatile are functions, and names without brackets, whose answer is another one at another time. age has two arguments where it is not.
	volatile = set("now today random uuid gen_random_uuid uuidv4 uuidv7 get_current_timestamp transaction_timestamp get_current_time current_date " +
		"current_time current_timestamp current_localtime current_localtimestamp localtime localtimestamp age nextval currval setseed txid_current")
	// grammar are functions that only DuckDB's parser writes, which duckdb_functions() doesn't list.
	grammar = set("unnest struct_pack")
)

func checkFunction(n node, table bool) *types.Error {
	name := strings.ToLower(str(n, "function_name"))
	allowed, known, kind := functions, refused, "function"
	if table {
		allowed, known, kind = tableFunctions, refusedTable, "table function"
	}
	switch {
	case allowed[name] || !table && grammar[name]:
		return nil
	case known[name]:
		return types.Errorf(types.NotAllowed, "%s %s is not allowed", kind, name).
			WithHint("queries read streams, tables and views only; SHOW, DESCRIBE and leat_system show what the server knows")
	}
	e := types.Errorf(types.UnknownFunction, "there is no %s %s", kind, name)
	if c := similar(name, keys(allowed)); len(c) > 0 {
		e.WithHint("did you mean %s?", strings.Join(c, " or "))
	}
	return e
}

func keys(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// similar returns up to three names within an edit distance of a third of their length, nearest first; schemas are not compared.
func similar(name string, candidates []string) []string {
	type near struct {
		name string
		d    int
	}
	var found []near
	for _, c := range candidates {
		bare := c[strings.LastIndexByte(c, '.')+1:]
		if d := distance(name[strings.LastIndexByte(name, '.')+1:], bare); d <= max(1, (len(bare)+1)/3) {
			found = append(found, near{c, d})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		if a.d != b.d {
			return a.d - b.d
		}
		return strings.Compare(a.name, b.name)
	})
	var out []string
	for _, f := range found[:min(3, len(found))] {
		out = append(out, f.name)
	}
	return out
}

// distance is the Levenshtein distance; names longer than 64 bytes are far from everything.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var row [65]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// varies reports whether an expression makes the answer another one at another time, whatever is read.
func varies(n node) bool {
	switch str(n, "class") {
	case "FUNCTION":
		name := strings.ToLower(str(n, "function_name"))
		return volatile[name] && (name != "age" || len(list(n, "children")) == 1)
	case "COLUMN_REF":
		ref := names(n)
		return len(ref) == 1 && volatile[strings.ToLower(ref[0])]
	}
	return false
}
