package bus

import (
	"fmt"

	"leat/internal/types"
)

// TrimmedError says that a read began below the oldest kept offset.
type TrimmedError struct {
	Partition types.PartitionID
	From      types.Offset
	Start     types.Offset
}

func (e *TrimmedError) Error() string {
	return fmt.Sprintf("partition %s starts at offset %d; offset %d was trimmed", e.Partition, e.Start, e.From)
}

// CorruptError says that an entry's bytes are damaged. Entries from Next on are readable.
type CorruptError struct {
	Partition types.PartitionID
	// From is the first offset that cannot be read, Next the first that may be again.
	From, Next types.Offset
	Err        error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("partition %s: offsets %d to %d are damaged: %v", e.Partition, e.From, e.Next-1, e.Err)
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }
