package duck

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	ddb "github.com/duckdb/duckdb-go-bindings"

	"leat/internal/types"
)

// duckError is DuckDB's error as JSON (setting errors_as_json).
type duckError struct {
	Type       string `json:"exception_type"`
	Message    string `json:"exception_message"`
	Candidates string `json:"candidates"`
	// Position is a byte offset in decimal.
	Position string `json:"position"`
	Subtype  string `json:"error_subtype"`
	Kind     string `json:"type"`
	Name     string `json:"name"`
}

// FatalError is the cause of an error after which DuckDB refuses everything: the database must be opened again.
type FatalError struct{ Message string }

func (e *FatalError) Error() string { return e.Message }

// parseError turns DuckDB's error about sql into a coded one. kind is ErrorTypeInvalid where DuckDB doesn't tell it.
func parseError(sql, text string, kind ddb.ErrorType) error {
	d := readError(text)
	if kind == ddb.ErrorTypeFatal || d.Type == "FATAL" || strings.Contains(d.Message, "database has been invalidated") {
		e := types.Errorf(types.Unavailable, "the store met a fatal error and is being opened again")
		e.Cause = &FatalError{d.Message}
		return e
	}
	return d.coded(sql)
}

// coded is the error as users see it, with its place in sql.
func (d duckError) coded(sql string) *types.Error {
	e := &types.Error{Code: d.code(), Message: sourceColumn.ReplaceAllString(firstLine(d.Message), "")}
	switch e.Code {
	case types.UnknownRelation:
		// One that stands before a column has its name in the text alone.
		if m := referenced.FindStringSubmatch(d.Message); d.Name == "" && m != nil {
			d.Name = m[1]
		}
		e.Message = "there is no stream, table or view called " + d.Name
	case types.UnknownColumn:
		if d.Name != "" {
			e.Message = "there is no column called " + d.Name
		}
	case types.UnknownFunction:
		e.Message = "there is no function called " + d.Name
	case types.OutOfMemory:
		e.Message = "the query needs more memory than it may use"
		e.Hint = "aggregate or filter earlier, or raise the memory limit"
	case types.Internal:
		e.Message, e.Cause = "the store failed to run this", &causeText{d.Message}
	}
	if c := visible(strings.Split(d.Candidates, ",")); len(c) > maxCandidates {
		// The overloads of an operator: a list that helps nobody.
		e.Hint = "cast the arguments to types that go together"
	} else if len(c) > 0 {
		e.Hint = "did you mean " + strings.Join(c, ", ") + "?"
	}
	if off, err := strconv.Atoi(d.Position); err == nil {
		e.Line, e.Column = types.Place(sql, off)
	}
	return e
}

// maxCandidates is how many names a hint offers.
const maxCandidates = 10

var referenced = regexp.MustCompile(`Referenced table "(.*?)" not found`)

// sourceColumn names a physical column of the store.
var sourceColumn = regexp.MustCompile(` when casting from source column \S+`)

// causeText keeps DuckDB's own words for the server's log.
type causeText struct{ text string }

func (c *causeText) Error() string { return c.text }

var plainError = regexp.MustCompile(`(?s)^(?:([A-Za-z /-]+) Error: )?(.*)$`)

// readError reads the JSON, which some paths prefix with "Parser Error: ", or the plain form of paths that ignore the setting.
func readError(text string) duckError {
	var d duckError
	if i := strings.Index(text, `{"exception_type"`); i >= 0 {
		if json.NewDecoder(strings.NewReader(text[i:])).Decode(&d) == nil {
			return d
		}
	}
	m := plainError.FindStringSubmatch(text)
	return duckError{Type: m[1], Message: m[2]}
}

var codes = map[string]types.Code{
	"Parser": types.SyntaxError, "Syntax": types.SyntaxError, "Conversion": types.DataError, "Out of Range": types.DataError,
	"Mismatch Type": types.TypeMismatch, "Constraint": types.DataError, "Not implemented": types.Unsupported,
	"Out of Memory": types.OutOfMemory, "Permission": types.NotAllowed, "Missing Extension": types.NotAllowed, "INTERRUPT": types.Canceled,
	"Interrupt": types.Canceled, "Binder": types.InvalidArgument, "Catalog": types.InvalidArgument, "Invalid Input": types.InvalidArgument,
	"Invalid": types.InvalidArgument, "Expression": types.InvalidArgument, "Parameter Not Resolved": types.InvalidArgument,
	"TransactionContext": types.Conflict, "Object Size": types.LimitExceeded, "Divide by Zero": types.DataError,
}

func (d duckError) code() types.Code {
	switch {
	case d.Subtype == "COLUMN_NOT_FOUND" || d.Type == "Binder" && strings.Contains(d.Message, "does not have a column named"):
		return types.UnknownColumn
	case d.Subtype == "NO_MATCHING_FUNCTION" || d.Type == "Binder" && strings.HasPrefix(d.Message, "Cannot compare values"),
		d.Type == "Binder" && strings.Contains(d.Message, "an explicit cast is required"):
		return types.TypeMismatch
	case d.Subtype == "MISSING_ENTRY" && strings.Contains(d.Kind, "Function"):
		return types.UnknownFunction
	case d.Subtype == "MISSING_ENTRY" && (d.Kind == "Table" || d.Kind == "View"), d.Type == "Binder" && strings.HasPrefix(d.Message, "Referenced table"):
		return types.UnknownRelation
	case d.Type == "IO" && strings.Contains(d.Message, "No space left"):
		return types.DiskFull
	case strings.Contains(d.Message, "max_temp_directory_size"):
		return types.OutOfMemory
	}
	if c, ok := codes[d.Type]; ok {
		return c
	}
	return types.Internal
}

var hidden = regexp.MustCompile(`^"?(leat\.|pg_|duckdb_|sqlite_|s_\d+$|c\d+$|_offset|_partition|_at$|_wm$|_op$|.*\$leat)`)

// visible drops DuckDB's and the store's internal names from candidates.
func visible(candidates []string) []string {
	var out []string
	for _, c := range candidates {
		if c = strings.TrimSpace(c); c != "" && !hidden.MatchString(c) {
			out = append(out, c)
		}
	}
	return out
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// openError codes what OpenExt said. Its text is not JSON.
func openError(text string) error {
	d := readError(text)
	switch {
	case strings.Contains(text, "Could not set lock") || strings.Contains(text, "Conflicting lock"):
		e := types.Errorf(types.Locked, "the store's file is in use by another process")
		e.Cause = &causeText{d.Message}
		return e
	case strings.Contains(text, "No space left"):
		return types.Errorf(types.DiskFull, "the disk is full: the store cannot be opened")
	}
	e := types.Errorf(types.Corrupt, "the store's file cannot be opened: %s", firstLine(d.Message))
	e.Cause = &causeText{d.Message}
	return e
}
