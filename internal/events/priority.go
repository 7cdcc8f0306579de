package events

// The metadata of a gRPC call that is made for an event. Without it, a call has the priority of a caller who
// waits.
const (
	PriorityMetadata = "imageflow-priority"
	PriorityEvent    = "event"
	PriorityBackfill = "backfill"
)

// ErrorDomain is the domain of the reasons in google.rpc.ErrorInfo.
const ErrorDomain = "imageflow.dev"

// ReasonSuperseded is the reason in the google.rpc.ErrorInfo of a job whose source was replaced by a newer version.
const ReasonSuperseded = "SUPERSEDED"

// ReasonTooLarge is the reason in the google.rpc.ErrorInfo of a request that is larger than the processor accepts because of
// its input_bytes.
const ReasonTooLarge = "REQUEST_TOO_LARGE"
