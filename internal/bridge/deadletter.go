package bridge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/jsonlimit"
)

// newDeadLetter returns the dead letter for an event that a broker gave up.
func newDeadLetter(e *cloudevents.Event) *execution.DeadLetter {
	parsed := events.ParseDeadLetter(e)
	d := &execution.DeadLetter{
		EventID: e.ID(), EventType: e.Type(), Event: eventJSON(parsed.Event),
		Step: parsed.Destination, Code: parsed.Code, Attempts: parsed.Attempts, Reason: reasonOf(parsed),
		Failures: parsed.Failures, First: parsed.First, OfOutcome: events.IsOutcome(e.Type()),
	}
	if origin, ok := events.OriginOf(e); ok {
		d.Bucket, d.Key, d.ETag = origin.Bucket, origin.Key, origin.ETag
		d.Execution = execution.ID(origin.Key)
	}
	return d
}

// eventJSON returns an event as JSON. It copies the event's data byte by byte, in base64
// if the data is not JSON that fits in a dead letter.
func eventJSON(e cloudevents.Event) []byte {
	data := e.Data()
	e.DataEncoded = nil
	if e.DataBase64 = !isPlainJSON(e.DataMediaType(), data); e.DataBase64 || len(data) == 0 {
		e.DataEncoded = data
		text, _ := e.MarshalJSON()
		return text
	}
	text, _ := e.MarshalJSON()
	text = append(bytes.TrimSuffix(text, []byte("}")), `,"data":`...)
	return append(append(text, data...), '}')
}

// isPlainJSON reports whether data can be part of a dead letter without base64, and can
// be read from it byte by byte.
func isPlainJSON(mediaType string, data []byte) bool {
	isJSON := mediaType == "application/json" || mediaType == "text/json" // as in the SDK
	if isJSON && len(data) > execution.MaxEventBytes {
		return true // only the start of the event is kept, so it need not be valid
	}
	limits := jsonlimit.Limits{Depth: execution.MaxEventDepth - 1}
	return isJSON && jsonlimit.Check(data, limits) == nil && json.Valid(data) && len(bytes.TrimSpace(data)) == len(data)
}

// reasonOf returns the last answer that a broker received as text: the message of a
// google.rpc.Status, which ImageFlow's steps answer, or else the whole text.
func reasonOf(d events.DeadLetter) string {
	text := strings.TrimSpace(strings.ToValidUTF8(string(d.Answer), "\uFFFD"))
	reason := cmp.Or(jsonlimit.StringField(d.Answer, "message"), text)
	if reason == "" && d.Code != 0 {
		reason = fmt.Sprintf("answered %d without a reason", d.Code)
	}
	return cmp.Or(reason, "unknown: the broker gives no reason")
}
