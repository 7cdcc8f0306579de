package events

import (
	"encoding/base64"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
)

// The extensions of a dead letter. Knative's channels and the local broker set the
// first three; the local broker also sets the count of attempts. They belong to the
// dead letter, not to the event. They are not signed.
const (
	errorDestination Text    = "knativeerrordest"
	errorCode        Integer = "knativeerrorcode"
	errorData        Text    = "knativeerrordata"
	attempts         Integer = "attempts"
	// failures and firstFailure are about an event that is sent again after it was a dead letter. A replay sets them.
	failures     Integer = "failures"
	firstFailure Time    = "firstfailure"
	// brokerTTL counts down the replies that an event may still lead to. Brokers set it.
	brokerTTL Integer = "knativebrokerttl"
)

// DeadLetter is an event that a broker gave up, and the reason. The reason is not
// signed: use it only as text to show.
type DeadLetter struct {
	// Event is the event as it was before it became a dead letter, but unsigned:
	// whoever may read dead letters must not be able to send their events.
	Event cloudevent.Event
	// Destination is the URL that did not accept the event.
	Destination string
	// Code is the HTTP status of the last answer; 0 is unknown.
	Code int
	// Answer is the start of the last answer's body.
	Answer []byte
	// Attempts counts the deliveries; 0 is unknown.
	Attempts int
	// Failures counts how often the event was a dead letter before it was sent again, the first time at First.
	Failures int
	First    time.Time
}

// SetFailures sets what ParseDeadLetter returns as Failures and First if the event becomes a dead letter again.
func SetFailures(e *cloudevent.Event, n int, first time.Time) {
	failures.Set(e, n)
	firstFailure.Set(e, first)
}

// ParseDeadLetter returns the dead letter that an event is.
func ParseDeadLetter(e *cloudevent.Event) DeadLetter {
	d := DeadLetter{
		Event: cloudevent.Event{Context: e.Context.Clone(), DataEncoded: e.DataEncoded, DataBase64: e.DataBase64},
		Code:  errorCode.Get(e), Attempts: attempts.Get(e),
		Failures: max(failures.Get(e), 0), First: firstFailure.Get(e),
	}
	d.Destination, _ = errorDestination.Get(e)
	text, _ := errorData.Get(e)
	if answer, err := base64.StdEncoding.DecodeString(text); err == nil {
		d.Answer = answer
	} else {
		d.Answer = []byte(text)
	}
	if d.Attempts == 0 && d.Code != 0 && !Retried(d.Code) {
		d.Attempts = 1
	}
	for _, name := range []string{
		string(errorDestination), string(errorCode), string(errorData), string(attempts), string(brokerTTL), string(Signature),
		string(failures), string(firstFailure),
	} {
		d.Event.SetExtension(name, nil)
	}
	return d
}
