package events

// The metadata of a gRPC call that is made for an event. Without it, a call has the priority of a caller who
// waits.
const (
	PriorityMetadata = "imageflow-priority"
	PriorityEvent    = "event"
	PriorityBackfill = "backfill"
)

// ReasonSuperseded is the reason in the google.rpc.ErrorInfo of a job whose source was replaced by a newer version.
const ReasonSuperseded = "SUPERSEDED"
