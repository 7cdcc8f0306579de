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

// letterOf returns the record of a dead letter.
func letterOf(e *cloudevents.Event) *execution.DeadLetter {
	d := events.ParseDeadLetter(e)
	letter := &execution.DeadLetter{
		EventID: e.ID(), EventType: e.Type(), Event: eventJSON(d.Event),
		Step: d.Destination, Code: d.Code, Attempts: d.Attempts, Reason: reasonOf(d),
	}
	if origin, ok := events.OriginOf(e); ok {
		letter.Bucket, letter.Key, letter.ETag = origin.Bucket, origin.Key, origin.ETag
		letter.Execution = execution.ID(origin.Key)
	}
	return letter
}

// eventJSON returns an event as JSON. Its data stays byte by byte: in base64 where it
// is not JSON that fits in a dead letter.
func eventJSON(e cloudevents.Event) []byte {
	data := e.Data()
	e.DataEncoded = nil
	if e.DataBase64 = !plainData(e.DataMediaType(), data); e.DataBase64 || len(data) == 0 {
		e.DataEncoded = data
		text, _ := e.MarshalJSON()
		return text
	}
	text, _ := e.MarshalJSON()
	text = append(bytes.TrimSuffix(text, []byte("}")), `,"data":`...)
	return append(append(text, data...), '}')
}

// plainData reports whether an event's data can stand in a letter as they are,
// and are read from there byte by byte.
func plainData(mediaType string, data []byte) bool {
	isJSON := mediaType == "application/json" || mediaType == "text/json" // where the SDK reads values
	limits := jsonlimit.Limits{Depth: execution.MaxEventDepth - 1}
	return isJSON && jsonlimit.Check(data, limits) == nil && json.Valid(data) && len(bytes.TrimSpace(data)) == len(data)
}

// reasonOf returns why a broker gave an event up: the message of a last answer that is
// a google.rpc.Status, as ImageFlow's steps send, or else the answer's text.
func reasonOf(d events.DeadLetter) string {
	text := strings.TrimSpace(strings.ToValidUTF8(string(d.Answer), "\uFFFD"))
	reason := cmp.Or(messageOf(d.Answer), text)
	if reason == "" && d.Code != 0 {
		reason = fmt.Sprintf("answered %d without a reason", d.Code)
	}
	return cmp.Or(reason, "unknown: the broker does not tell")
}

// messageOf returns the message of a google.rpc.Status in JSON. It reads no
// further than that, since the rest may be cut off.
func messageOf(status []byte) string {
	d := json.NewDecoder(bytes.NewReader(status))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ""
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return ""
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return ""
		}
		var text string
		if name == "message" && json.Unmarshal(value, &text) == nil {
			return text
		}
	}
	return ""
}
