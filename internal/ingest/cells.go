package ingest

import (
	"bytes"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"

	"leat/internal/types"
)

// cells reads single values of a result; the first that is not of the wanted type is err. NULL is the zero value.
type cells struct{ err error }

func (c *cells) bad(a arrow.Array, want string) {
	if c.err == nil {
		c.err = types.Errorf(types.Internal, "the store answered %s where %s was asked for", a.DataType(), want)
	}
}

func (c *cells) integer(a arrow.Array, i int) int64 {
	if a.IsNull(i) {
		return 0
	}
	switch a := a.(type) {
	case *array.Int64:
		return a.Value(i)
	case *array.Uint64:
		return int64(a.Value(i))
	}
	c.bad(a, "an integer")
	return 0
}

func (c *cells) text(a arrow.Array, i int) string {
	if a.IsNull(i) {
		return ""
	}
	if s, ok := a.(array.StringLike); ok {
		return strings.Clone(s.Value(i)) // records are valid only until the next one
	}
	c.bad(a, "text")
	return ""
}

func (c *cells) bytes(a arrow.Array, i int) []byte {
	if a.IsNull(i) {
		return nil
	}
	if b, ok := a.(interface{ Value(int) []byte }); ok {
		return bytes.Clone(b.Value(i))
	}
	c.bad(a, "bytes")
	return nil
}

func (c *cells) boolean(a arrow.Array, i int) bool {
	if b, ok := a.(*array.Boolean); ok {
		return b.IsValid(i) && b.Value(i)
	}
	c.bad(a, "a boolean")
	return false
}

func (c *cells) uuid(a arrow.Array, i int) uuid.UUID {
	id, err := uuid.Parse(c.text(a, i))
	if err != nil {
		c.bad(a, "a UUID")
	}
	return id
}

// letterOf reads a row of letterColumns.
func letterOf(r arrow.RecordBatch, i int) (Letter, error) {
	var c cells
	l := Letter{
		ID: c.uuid(r.Column(0), i), StreamID: types.ObjectID(c.integer(r.Column(1), i)), Stream: c.text(r.Column(2), i),
		At:     time.UnixMicro(c.integer(r.Column(3), i)).UTC(),
		Reason: types.Code(c.text(r.Column(4), i)), Message: c.text(r.Column(5), i), Path: c.text(r.Column(6), i), Hint: c.text(r.Column(7), i),
		Line: int(c.integer(r.Column(8), i)), Record: int(c.integer(r.Column(9), i)),
		Raw: c.bytes(r.Column(10), i), Truncated: c.boolean(r.Column(11), i),
		Format: c.text(r.Column(12), i), Token: c.text(r.Column(13), i),
	}
	return l, c.err
}
