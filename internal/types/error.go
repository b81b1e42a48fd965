package types

import (
	"errors"
	"fmt"
)

// Code is the stable name of a kind of failure; it is part of the API.
type Code string

// The codes. The table below maps each to an HTTP status, a SQLSTATE and an exit code.
const (
	InvalidArgument     Code = "invalid_argument"
	SyntaxError         Code = "syntax_error"
	UnknownRelation     Code = "unknown_relation"
	UnknownColumn       Code = "unknown_column"
	UnknownFunction     Code = "unknown_function"
	TypeMismatch        Code = "type_mismatch"
	DataError           Code = "data_error"
	Unsupported         Code = "unsupported"
	NotAllowed          Code = "not_allowed"
	QueryTooComplex     Code = "query_too_complex"
	InvalidRecord       Code = "invalid_record"
	Unauthenticated     Code = "unauthenticated"
	PermissionDenied    Code = "permission_denied"
	CrossOrigin         Code = "cross_origin"
	NotFound            Code = "not_found"
	MethodNotAllowed    Code = "method_not_allowed"
	NotAcceptable       Code = "not_acceptable"
	UnsupportedMedia    Code = "unsupported_media_type"
	AlreadyExists       Code = "already_exists"
	DependentObjects    Code = "dependent_objects"
	Conflict            Code = "conflict"
	PositionGone        Code = "position_gone"
	IdempotencyMismatch Code = "idempotency_mismatch"
	PayloadTooLarge     Code = "payload_too_large"
	Misdirected         Code = "misdirected_request"
	TooManyRequests     Code = "too_many_requests"
	LimitExceeded       Code = "limit_exceeded"
	Timeout             Code = "timeout"
	NotReached          Code = "position_not_reached"
	Canceled            Code = "canceled"
	OutOfMemory         Code = "out_of_memory"
	DiskFull            Code = "disk_full"
	Locked              Code = "locked"
	Unavailable         Code = "unavailable"
	Corrupt             Code = "corrupt"
	Internal            Code = "internal"
)

// Mapping is what a code becomes at each edge.
type Mapping struct {
	Status   int    // HTTP (RFC 9110)
	SQLState string // PostgreSQL errcodes, appendix A
	Exit     int    // process: 1 failed, 2 usage
}

var mappings = map[Code]Mapping{
	InvalidArgument:     {400, "22023", 2},
	SyntaxError:         {400, "42601", 1},
	UnknownRelation:     {400, "42P01", 1},
	UnknownColumn:       {400, "42703", 1},
	UnknownFunction:     {400, "42883", 1},
	TypeMismatch:        {400, "42804", 1},
	DataError:           {400, "22000", 1},
	Unsupported:         {400, "0A000", 1},
	NotAllowed:          {400, "42501", 1},
	QueryTooComplex:     {400, "54001", 1},
	InvalidRecord:       {400, "22P02", 1},
	Unauthenticated:     {401, "28000", 1},
	PermissionDenied:    {403, "42501", 1},
	CrossOrigin:         {403, "42501", 1},
	NotFound:            {404, "42704", 1},
	MethodNotAllowed:    {405, "0A000", 1},
	NotAcceptable:       {406, "0A000", 1},
	UnsupportedMedia:    {415, "0A000", 1},
	AlreadyExists:       {409, "42710", 1},
	DependentObjects:    {409, "2BP01", 1},
	Conflict:            {409, "40001", 1},
	PositionGone:        {409, "55000", 1},
	IdempotencyMismatch: {422, "22023", 1},
	PayloadTooLarge:     {413, "54000", 1},
	Misdirected:         {421, "08004", 1},
	TooManyRequests:     {429, "53300", 1},
	LimitExceeded:       {400, "54000", 1},
	Timeout:             {408, "57014", 1},
	NotReached:          {504, "57014", 1},
	Canceled:            {499, "57014", 1},
	OutOfMemory:         {503, "53200", 1},
	DiskFull:            {507, "53100", 1},
	Locked:              {503, "55006", 1},
	Unavailable:         {503, "57P03", 1},
	Corrupt:             {500, "XX001", 1},
	Internal:            {500, "XX000", 1},
}

// Mapping returns the code's row of the table; an unknown code is Internal.
func (c Code) Mapping() Mapping {
	if m, ok := mappings[c]; ok {
		return m
	}
	return mappings[Internal]
}

// Codes lists every code, for the tests and documents that must cover all of them.
func Codes() []Code {
	out := make([]Code, 0, len(mappings))
	for c := range mappings {
		out = append(out, c)
	}
	return out
}

// Error is what reaches a user: what is wrong, where, how to mend it.
type Error struct {
	Code    Code
	Message string
	// Hint says how to mend it; it may be an exact statement to run.
	Hint string
	// Line and Column are 1-based places in SQL or in the sent body; 0 is unknown. Column counts characters.
	Line, Column int
	// Path is the JSON path or parameter at fault, such as "$.user.id".
	Path string
	// RetryAfter is how many seconds to wait before trying again, for TooManyRequests and Unavailable.
	RetryAfter int
	// Errors are further faults of the same request.
	Errors []*Error
	// Cause is kept for errors.Is and for the server's log; it is not shown to users.
	Cause error
}

// Errorf makes a coded error. An operand of %w becomes its cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// WithHint sets the hint and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	e.Hint = format
	return e
}

// At sets line and column and returns e.
func (e *Error) At(line, column int) *Error {
	e.Line, e.Column = line, column
	return e
}

// Error is the message with its place, without the hint.
func (e *Error) Error() string {
	switch {
	case e.Line > 0:
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
	case e.Path != "":
		return e.Path + ": " + e.Message
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// AsError finds the coded error in err's chain. What has none is Internal, with err as its message.
// It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: Internal, Message: err.Error(), Cause: err}
}

// HasCode reports whether err's chain has a coded error of that code.
func HasCode(err error, code Code) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}

// Place turns a byte offset in text into a 1-based line and a 1-based column in characters.
func Place(text string, offset int) (line, column int) {
	line, column = 1, 1
	for i, r := range text {
		if i >= offset {
			break
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column
}
