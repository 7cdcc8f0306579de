package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"go.opentelemetry.io/otel/propagation"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// message is the JSON that a receiver gets. eventing/README.md describes it.
type message struct {
	// Type is the type of the event.
	Type string `json:"type"`
	// Timestamp is the time of the event. The Standard Webhooks specification requires it.
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`

	id string
	// trace has the headers of the event's trace.
	trace map[string]string
}

// data says what an event is about.
type data struct {
	ExecutionID string `json:"execution_id"`
	// Bucket, ObjectKey and ETag name the version of the upload that the chain began with.
	Bucket    string `json:"bucket,omitempty"`
	ObjectKey string `json:"object_key,omitempty"`
	ETag      string `json:"etag,omitempty"`
	// Began is the time at which the chain began.
	Began *time.Time `json:"began,omitempty"`
	// Execution is the execution that has ended, as the gateway answers it. It is missing for other events.
	Execution json.RawMessage `json:"execution,omitempty"`
	// Step is the name of the finished step, Variant the variant of its output, and Response its response, as the
	// processor answers JSON calls. They are missing for other events.
	Step     string          `json:"step,omitempty"`
	Variant  string          `json:"variant,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
}

// newMessage returns the message for the event of an upload, of a finished step or of an outcome.
func newMessage(e *cloudevent.Event) (*message, error) {
	if e.Time().IsZero() {
		return nil, fmt.Errorf("time: the event %.64q has none, which the timestamp of a webhook needs", e.ID())
	}
	m := &message{Type: e.Type(), Timestamp: e.Time(), trace: map[string]string{}}
	for _, name := range (propagation.TraceContext{}).Fields() {
		if value, ok := events.Text(name).Get(e); ok {
			m.trace[name] = value
		}
	}
	if began := events.ChainBegan(e); !began.IsZero() {
		m.Data.Began = &began
	}
	if origin, ok := events.OriginOf(e); ok {
		m.Data.Bucket, m.Data.ObjectKey, m.Data.ETag = origin.Bucket, origin.Key, origin.ETag
	}
	step, isStep := events.CompletedStep(e.Type())
	switch {
	case events.IsObjectCreated(e.Type()):
		if m.Data.ObjectKey == "" {
			return nil, fmt.Errorf("data: the event %q names no object", e.ID())
		}
		m.Data.ExecutionID = execution.ID(m.Data.ObjectKey)
		m.id = idOf(m)
		return m, nil
	case events.IsOutcome(e.Type()):
		return m, m.setOutcome(e)
	case isStep:
		return m, m.setStep(e, step)
	}
	return nil, fmt.Errorf("type: %.64q is neither an upload nor a finished step nor the outcome of an execution", e.Type())
}

// setOutcome sets what the event of an outcome says.
func (m *message) setOutcome(e *cloudevent.Event) error {
	ended, err := events.ParseExecutionEnded(e)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	m.Data.ExecutionID, m.Data.Execution = ended.GetExecutionId(), e.Data()
	m.id = idOf(m, e.ID())
	return nil
}

// setStep sets what the event of a finished step says.
func (m *message) setStep(e *cloudevent.Event, step string) error {
	result, err := events.ParseStepCompleted(e)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	m.Data.ExecutionID, m.Data.Step, m.Data.Response = events.ExecutionID.Get(result), step, e.Data()
	m.Data.Variant = events.Variant.Get(result)
	output := result.GetOutputImage()
	m.id = idOf(m, objects.URI(output.GetBucket(), output.GetObjectKey(), output.GetEtag()))
	return nil
}

// idOf returns the id of a message, by which receivers recognise a repetition. It is a digest of
// the type, the version of the upload and the output: the same after a retry, a replay, and an event
// that the sweeper sent again.
func idOf(m *message, more ...string) string {
	parts := append([]string{m.Type, m.Data.Bucket, m.Data.ObjectKey, m.Data.ETag, m.Data.ExecutionID}, more...)
	digest := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return "msg_" + hex.EncodeToString(digest[:16])
}
