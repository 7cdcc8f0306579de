package httpevent

import (
	"bytes"
	"encoding/base64"
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

// TooLargeError means that a body is longer than the limit of its http.MaxBytesReader.
type TooLargeError struct{ limit int64 }

// Error names the limit.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the event is longer than %d bytes", e.limit)
}

// Status returns the HTTP status for an error of this package: 415 for a *FormatError, 413 for a *TooLargeError, otherwise 400.
func Status(err error) int {
	var format *FormatError
	var large *TooLargeError
	switch {
	case errors.As(err, &format):
		return http.StatusUnsupportedMediaType
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// errNoName means that a header is only the prefix of attributes, for which the SDK panics.
var errNoName = errors.New("the header " + prefix + " has no name of an attribute")

// CheckFormat returns a *FormatError for a format of events that Read does not support, and an error for an attribute
// without a name.
func CheckFormat(h http.Header) error {
	if _, ok := h[prefix]; ok {
		return errNoName
	}
	if m := mediaType(h); strings.HasPrefix(m, formats) && m != event.ApplicationCloudEventsJSON {
		return &FormatError{m}
	}
	return nil
}

// Check returns an error for headers that the HTTP binding forbids or that Read does not support: a *FormatError, or an
// attribute whose decoded form is not a valid attribute.
func Check(h http.Header) error {
	if err := CheckFormat(h); err != nil {
		return err
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
// accepts values that Check and CheckAttributes refuse: they stay as they are. It returns the error of reading the body.
func Read(r *http.Request) (*event.Event, error) {
	if err := CheckFormat(r.Header); err != nil {
		return nil, err
	}
	text, err := readBody(r)
	if err != nil {
		return nil, err
	}
	return parse(r, text)
}

// ReadValid is Read for an event that must obey the specification. Its errors name the attribute that does not.
func ReadValid(r *http.Request) (*event.Event, error) {
	if err := Check(r.Header); err != nil {
		return nil, err
	}
	text, err := readBody(r)
	if err == nil {
		err = CheckAttributes(r.Header, text)
	}
	if err != nil {
		return nil, err
	}
	return parse(r, text)
}

// readBody reads the body of a request. The SDK would drop the error.
func readBody(r *http.Request) ([]byte, error) {
	text, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, &TooLargeError{large.Limit}
	}
	return text, err
}

// parse returns the event of a request with a body that has been read.
func parse(r *http.Request, text []byte) (*event.Event, error) {
	Decode(r.Header)
	if IsStructured(r.Header) {
		var err error
		if text, err = Normalize(text); err != nil {
			return nil, err
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	return cehttp.NewEventFromHTTPRequest(r)
}

var errNoObject = errors.New("the body is not a JSON object")

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
		return nil, errNoObject
	}
	if _, ok := members[""]; ok {
		return nil, errors.New("the event has an attribute with an empty name")
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
		if _, err := base64.StdEncoding.DecodeString(value); err != nil {
			return nil, fmt.Errorf("%s is not base64", base64Member)
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
