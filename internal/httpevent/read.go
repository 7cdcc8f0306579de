package httpevent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// formats begins the media types of all formats of events, such as batches.
const formats = "application/cloudevents"

// FormatError means that a body has a format of CloudEvents other than one event as JSON.
type FormatError struct{ mediaType string }

// Error names the media type, and the formats that are read.
func (e *FormatError) Error() string {
	return fmt.Sprintf("Content-Type: events as %.64q are not supported: send each event in a request of its own, "+
		"in binary mode or as %s", e.mediaType, event.ApplicationCloudEventsJSON)
}

// Check returns an error for headers that the HTTP binding forbids or that Read does not support: a *FormatError, which
// deserves the status 415, or an attribute whose decoded form is not a valid attribute.
func Check(h http.Header) error {
	if m := mediaType(h); strings.HasPrefix(m, formats) && m != event.ApplicationCloudEventsJSON {
		return &FormatError{m}
	}
	for name, values := range h {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		for _, value := range values {
			value = unquote(value)
			if plain, err := url.PathUnescape(value); err == nil && plain != value && !valid(plain) {
				return fmt.Errorf("%s: %.64q is not percent-encoded UTF-8 without control characters", name, value)
			}
		}
	}
	return nil
}

// IsStructured reports whether the body of a request is a whole event as JSON.
func IsStructured(h http.Header) bool { return mediaType(h) == event.ApplicationCloudEventsJSON }

func mediaType(h http.Header) string {
	m, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(m))
}

// Read returns the event of a request in binary or structured mode. It decodes the headers. It does not bound the body, and
// accepts values that Check refuses: they stay as they are.
func Read(r *http.Request) (*event.Event, error) {
	Decode(r.Header)
	if IsStructured(r.Header) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if text, err = Normalize(text); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
	}
	return cehttp.NewEventFromHTTPRequest(r)
}

// The members of an event as JSON that are not attributes.
const (
	dataMember   = "data"
	base64Member = "data_base64"
)

// Normalize returns an event as JSON in the form that the SDK reads correctly: without white space and attributes that are
// null, and with base64 data without escape sequences.
func Normalize(text []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, errors.New("the body is not a JSON object")
	}
	for name, value := range members {
		if name != dataMember && string(value) == "null" {
			delete(members, name)
		}
	}
	if encoded, ok := members[base64Member]; ok {
		if _, both := members[dataMember]; both {
			return nil, fmt.Errorf("the event has both %s and %s", dataMember, base64Member)
		}
		var value string
		if err := json.Unmarshal(encoded, &value); err != nil {
			return nil, fmt.Errorf("%s is not a string", base64Member)
		}
		members[base64Member], _ = json.Marshal(value)
	}
	var normal bytes.Buffer
	encoder := json.NewEncoder(&normal)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(members); err != nil {
		return nil, err
	}
	return normal.Bytes(), nil
}
