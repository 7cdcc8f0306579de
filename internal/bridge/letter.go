package bridge

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/types"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/jsonlimit"
	"imageflow.dev/internal/signature"
)

// Extensions of a dead letter, as Knative's channels set them, and how often the
// event was sent, where the broker tells. They are of the letter, not of the
// event, which goes without them when it is sent again; so is the count of hops.
// Nothing vouches for them: they are text to show.
const (
	errorDestination  = "knativeerrordest"
	errorCode         = "knativeerrorcode"
	errorData         = "knativeerrordata"
	attemptsExtension = "attempts"
	hopsExtension     = "knativebrokerttl"
)

// letterOf makes a dead letter of an event that the broker gave up.
func letterOf(e *cloudevents.Event) *execution.Letter {
	letter := &execution.Letter{EventID: e.ID(), EventType: e.Type(), Step: extension(e, errorDestination)}
	letter.Code, _ = strconv.Atoi(extension(e, errorCode))
	letter.Reason = reasonOf(extension(e, errorData), letter.Code)
	letter.Attempts, _ = strconv.Atoi(extension(e, attemptsExtension))
	if letter.Attempts == 0 && letter.Code != 0 && !retried(letter.Code) {
		letter.Attempts = 1
	}
	if from, ok := sourceOf(e); ok {
		letter.Bucket, letter.Key, letter.ETag = from.bucket, from.key, from.etag
		letter.Execution = execution.ID(from.key)
	}
	letter.Event = eventJSON(e)
	return letter
}

// eventJSON writes an event as it was before it became a dead letter. Its data
// are kept byte by byte, in base64 where they are not JSON that can stand in a
// letter. It has no signature: whoever may read dead letters must not be able to
// send their events.
func eventJSON(e *cloudevents.Event) []byte {
	plain := cloudevents.Event{Context: e.Context.Clone()}
	for _, name := range []string{errorDestination, errorCode, errorData, attemptsExtension, hopsExtension, signature.Extension} {
		plain.SetExtension(name, nil)
	}
	data := e.Data()
	if plain.DataBase64 = !plainData(e.DataMediaType(), data); plain.DataBase64 || len(data) == 0 {
		plain.DataEncoded = data
		text, _ := plain.MarshalJSON()
		return text
	}
	text, _ := plain.MarshalJSON()
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

// extension returns an extension as text, empty where it is missing.
func extension(e *cloudevents.Event, name string) string {
	text, err := types.Format(e.Extensions()[name])
	if err != nil {
		return ""
	}
	return text
}

// retried tells the answers after which Knative tries again.
func retried(code int) bool {
	switch code {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return code >= 500
}

// reasonOf reads the start of the last answer, which is in base64 as a rule: the
// message where it is a google.rpc.Status, as our steps answer, else its text.
func reasonOf(data string, code int) string {
	answer, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		answer = []byte(data)
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(answer), "\uFFFD"))
	reason := cmp.Or(messageOf(answer), text)
	if reason == "" && code != 0 {
		reason = fmt.Sprintf("answered %d without a reason", code)
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
