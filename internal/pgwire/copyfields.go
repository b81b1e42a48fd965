package pgwire

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/pgwire/pgtype"
	"leat/internal/types"
)

// fieldBuilder gathers the values of a column. Scalars are kept as text, which ingest reads exactly or refuses.
type fieldBuilder struct {
	typ   types.Type
	oid   uint32
	text  *array.StringBuilder
	bytes *array.BinaryBuilder
	list  *array.ListBuilder
}

func newFieldBuilder(c types.Column) (b fieldBuilder, err error) {
	b = fieldBuilder{typ: c.Type, oid: pgtype.Of(c.Type)}
	switch k := c.Type.Kind; {
	case k == types.Blob:
		b.bytes = array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	case k == types.List && b.oid != pgtype.JSON && c.Type.Elem.Kind != types.Blob:
		b.list = array.NewListBuilder(memory.DefaultAllocator, arrow.BinaryTypes.String)
	case k.IsNested():
		return b, withState(types.Errorf(types.Unsupported, "COPY can't fill column %s, of type %s", types.QuoteIdent(c.Name), c.Type).
			WithHint("send JSON to /v1/events, or name the other columns"), "0A000")
	default:
		b.text = array.NewStringBuilder(memory.DefaultAllocator)
	}
	return b, nil
}

// add appends a value; nil is NULL.
func (b *fieldBuilder) add(data []byte, format int16) error {
	if b.list != nil {
		return b.addList(data, format)
	}
	v, err := decode(data, b.oid, format)
	if err != nil {
		return err
	}
	if b.bytes != nil {
		if raw, ok := v.([]byte); ok {
			b.bytes.Append(raw)
		} else {
			b.bytes.AppendNull()
		}
		return nil
	}
	text, null := plainText(v)
	if null {
		b.text.AppendNull()
		return nil
	}
	b.text.Append(text)
	return nil
}

func (b *fieldBuilder) addList(data []byte, format int16) error {
	if data == nil {
		b.list.AppendNull()
		return nil
	}
	element := pgtype.Of(*b.typ.Elem)
	var items [][]byte
	var err error
	ok := true
	if format == binaryFormat {
		items, err = arrayBinary(data, element)
	} else {
		items, ok, err = arrayText(data)
	}
	if err != nil || !ok {
		return errors.Join(err, map[bool]error{false: invalidText(b.oid, data)}[ok])
	}
	b.list.Append(true)
	to := b.list.ValueBuilder().(*array.StringBuilder)
	for _, item := range items {
		v, err := decode(item, element, format)
		if err != nil {
			return err
		}
		if text, null := plainText(v); null {
			to.AppendNull()
		} else {
			to.Append(text)
		}
	}
	return nil
}

// array takes the values.
func (b *fieldBuilder) array() arrow.Array {
	switch {
	case b.bytes != nil:
		return b.bytes.NewArray()
	case b.list != nil:
		return b.list.NewArray()
	}
	return b.text.NewArray()
}
