package push

// Form is a form of events on the wire.
type Form struct {
	// Messages is one JSON text an event, as WebSocket has it; else the text of Server-Sent Events.
	Messages bool
	// Int64AsString quotes integers beyond 32 bits.
	Int64AsString bool
}
