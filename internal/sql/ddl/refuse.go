package ddl

import (
	"strings"

	"leat/internal/types"
)

// refusals are statements of other databases, each with what to use here.
var refusals = map[string]string{
	"COPY":       "to load a file use `leat send STREAM FILE`; to write one use `leat sql --format csv` or parquet",
	"ATTACH":     "Leat has one database; send data with `leat send`",
	"DETACH":     "Leat has one database",
	"USE":        "name objects of another schema as schema.name",
	"SET":        "settings belong to leat.toml; options of a stream are changed by ALTER STREAM s SET (...)",
	"RESET":      "settings belong to leat.toml; options of a stream are reset by ALTER STREAM s RESET (...)",
	"PRAGMA":     "settings belong to leat.toml; SHOW and DESCRIBE list what exists",
	"INSTALL":    "extensions cannot be loaded",
	"LOAD":       "extensions cannot be loaded; to load data use `leat send STREAM FILE`",
	"CALL":       "use SELECT * FROM function(...)",
	"UPDATE":     "a stream is append-only; change rows of a table with INSERT, which replaces the row with the same key",
	"REFRESH":    "leave it out: a materialized view follows what it reads by itself",
	"MERGE":      "use INSERT into a table, which replaces the row with the same key",
	"REPLACE":    "use INSERT into a table, which replaces the row with the same key",
	"TRUNCATE":   "drop and create the stream, or set a ttl: ALTER STREAM s SET (ttl = '7 days')",
	"BEGIN":      "leave it out: the definitions in one script are one transaction already",
	"START":      "leave it out: the definitions in one script are one transaction already",
	"COMMIT":     "leave it out: the definitions in one script are one transaction already",
	"END":        "leave it out: the definitions in one script are one transaction already",
	"ROLLBACK":   "leave it out: a script that fails changes nothing",
	"ABORT":      "leave it out: a script that fails changes nothing",
	"SAVEPOINT":  "leave it out: the definitions in one script are one transaction already",
	"PREPARE":    "publish the query with CREATE ENDPOINT, or send parameters beside the SQL",
	"EXECUTE":    "publish the query with CREATE ENDPOINT, or send parameters beside the SQL",
	"DEALLOCATE": "publish the query with CREATE ENDPOINT, or send parameters beside the SQL",
	"EXPORT":     "use the API's format=parquet to take data out",
	"IMPORT":     "to load a file use `leat send STREAM FILE`",
	"VACUUM":     "leave it out: Leat maintains its files itself",
	"ANALYZE":    "leave it out: Leat maintains its files itself",
	"CHECKPOINT": "leave it out: Leat maintains its files itself",
	"SUMMARIZE":  "use DESCRIBE for columns, and aggregates in a SELECT for statistics",
	"COMMENT":    "use WITH (description = '...')",
	"GRANT":      "permissions belong to tokens: `leat token`",
	"REVOKE":     "permissions belong to tokens: `leat token`",
}

var statementWords = append([]string{"CREATE", "ALTER", "DROP", "SHOW", "DESCRIBE", "EXPLAIN", "INSERT", "DELETE"}, queryWords...)

// notOurs fails on a statement that neither we nor DuckDB run.
func (p *parser) notOurs() {
	w := strings.ToUpper(p.src(p.tok))
	if use, ok := refusals[w]; ok && p.tok.kind == word {
		p.reject(types.Unsupported, p.tok.start, "%s is not a statement of Leat", w).WithHint(use)
		return
	}
	p.expected("a statement (SELECT, CREATE, ALTER, DROP, SHOW, DESCRIBE, EXPLAIN, INSERT or DELETE)", statementWords...)
}

// nearest returns the candidate that s is most likely a misspelling of, or "".
func nearest(s string, candidates []string) string {
	best, least := "", min(2, (len(s)+1)/3)+1
	if len(s) > 40 {
		return ""
	}
	for _, c := range candidates {
		if d := distance(strings.ToLower(s), strings.ToLower(c)); d > 0 && d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of inserted, deleted, changed or swapped bytes between a and b.
func distance(a, b string) int {
	var before, row, next []int
	row = make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next = make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
