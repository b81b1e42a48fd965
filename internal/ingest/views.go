package ingest

import (
	"context"
	"time"

	"github.com/google/uuid"

	"leat/internal/bus"
	"leat/internal/catalog"
	"leat/internal/types"
)

// LateRow is the reason of dead letters that a view left out because they came after their window had closed.
const LateRow types.Code = "late_row"

// LeftOut is a row that a materialized view left out.
type LeftOut struct {
	Reason  types.Code
	Message string
	// Record is the row as a JSON object.
	Record []byte
	At     time.Time
}

// KeepLeftOut makes dead letters of rows that a view left out, within its quota. The epoch makes it happen once: a repeated one is no error.
func (s *Service) KeepLeftOut(ctx context.Context, view *catalog.Object, epoch bus.Epoch, rows []LeftOut) error {
	letters := make([]Letter, len(rows))
	for i := range rows {
		r := &rows[i]
		raw, cut := r.Record, false
		if len(raw) > s.Config.MaxLetterRaw {
			raw, cut = raw[:s.Config.MaxLetterRaw], true
		}
		letters[i] = Letter{
			ID: uuid.Must(uuid.NewV7()), StreamID: view.ID, Stream: view.Name, At: r.At.Truncate(time.Microsecond),
			Reason: r.Reason, Message: r.Message, Raw: raw, Truncated: cut, Format: "json",
		}
	}
	_, err := s.appendWithLetters(ctx, view, &bus.Append{Epoch: &epoch}, letters)
	return err
}
