package event

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/functions"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/jsonlimit"
)

// maxBytes is the limit of a body. Events name images and do not contain them.
const maxBytes = 1 << 20

// limits are the limits of an event and of its data.
var limits = jsonlimit.Limits{Bytes: maxBytes, Depth: 32, Elements: 10_000, Members: maxAttributes}

const (
	// maxAttributes limits the number of attributes, including extensions.
	maxAttributes = 100
	// maxNameBytes limits the name of each attribute.
	maxNameBytes = 64
	// maxAttributeBytes limits each attribute. The longest is the origin: a key of 1024
	// bytes, each encoded with three characters.
	maxAttributeBytes = 4 << 10
)

// read returns the event of a request in binary or structured mode. It enforces the limits.
func read(r *http.Request) (*cloudevent.Event, error) {
	if countAttributes(r.Header) > maxAttributes {
		return nil, invalidEvent("more than %d attributes", maxAttributes)
	}
	r.Body = io.NopCloser(jsonlimit.NewReader(http.MaxBytesReader(nil, r.Body, maxBytes), bodyLimits(r)))
	e, err := httpevent.ReadValid(r)
	var large *httpevent.TooLargeError
	var exceeded *jsonlimit.Error
	switch {
	case errors.As(err, &large):
		return nil, err
	case errors.As(err, &exceeded):
		return nil, functions.Errorf(functions.Invalid, "", "the event is too large: %s", exceeded.Reason)
	case err != nil:
		return nil, invalidEvent("%v", err)
	}
	return e, check(e)
}

// bodyLimits returns the limits of a body, which is the data, or the event in structured
// mode.
func bodyLimits(r *http.Request) jsonlimit.Limits {
	l := limits
	l.Bytes = 0 // maxBytes, which is another status
	if !httpevent.IsStructured(r.Header) {
		l.Members = 0
	}
	return l
}

func countAttributes(h http.Header) (n int) {
	for name, values := range h {
		if strings.HasPrefix(name, "Ce-") {
			n += len(values)
		}
	}
	return n
}

// check returns an error that names the invalid attributes of an event.
func check(e *cloudevent.Event) error {
	if err := e.Validate(); err != nil {
		var bad cloudevent.ValidationError
		errors.As(err, &bad)
		return invalidEvent("invalid or missing: %.64q", strings.Join(slices.Sorted(maps.Keys(bad)), ", "))
	}
	attributes := map[string]string{"id": e.ID(), "source": e.Source(), "type": e.Type(), "subject": e.Subject()}
	for name, value := range e.Extensions() {
		if text, ok := value.(string); ok {
			attributes[name] = text
		}
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if len(name) > maxNameBytes || len(attributes[name]) > maxAttributeBytes {
			return invalidEvent("attribute %.64q is too long: the limits are %d bytes for names and %d for values",
				name, maxNameBytes, maxAttributeBytes)
		}
	}
	return nil
}

func invalidEvent(format string, args ...any) error {
	return functions.Errorf(functions.Invalid, "", "not a valid CloudEvent: "+format, args...)
}
