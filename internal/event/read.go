package event

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"imageflow.dev/functions"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/jsonlimit"
)

// limits bound an incoming event and its data: images travel by reference.
var limits = jsonlimit.Limits{Bytes: 1 << 20, Depth: 32, Elements: 10_000, Members: maxAttributes}

const (
	// maxAttributes limits the attributes of an event, extensions included.
	maxAttributes = 100
	// maxAttributeBytes limits each attribute. The longest of ours is `origin`,
	// with a key of 1024 bytes whose bytes are three characters each.
	maxAttributeBytes = 4 << 10
)

// read reads an event, in binary or structured mode, within the limits.
func read(r *http.Request) (*cloudevent.Event, error) {
	if countAttributes(r.Header) > maxAttributes {
		return nil, invalidEvent("it has more than %d attributes", maxAttributes)
	}
	httpevent.Decode(r.Header)
	body := &bodyReader{Reader: jsonlimit.NewReader(r.Body, bodyLimits(r))}
	r.Body = struct {
		io.Reader
		io.Closer
	}{body, r.Body}
	e, err := cehttp.NewEventFromHTTPRequest(r)
	var exceeded *jsonlimit.Error
	switch {
	case errors.As(body.err, &exceeded):
		return nil, functions.Errorf(functions.Invalid, "", "the event is too large: %s", exceeded.Reason)
	case err != nil:
		return nil, invalidEvent("it is neither in binary nor in structured mode")
	}
	return e, check(e)
}

// bodyLimits are the limits of a body: the data, or in structured mode the event.
func bodyLimits(r *http.Request) jsonlimit.Limits {
	l := limits
	if !strings.HasPrefix(r.Header.Get("Content-Type"), cloudevent.ApplicationCloudEventsJSON) {
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

// bodyReader remembers why a body could not be read. The SDK drops it.
type bodyReader struct {
	io.Reader
	err error
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// check refuses an event whose attributes are not valid, and names them.
func check(e *cloudevent.Event) error {
	if err := e.Validate(); err != nil {
		var bad cloudevent.ValidationError
		errors.As(err, &bad)
		return invalidEvent("wrong or missing: %q", clip(strings.Join(slices.Sorted(maps.Keys(bad)), ", ")))
	}
	attributes := map[string]string{"id": e.ID(), "source": e.Source(), "type": e.Type(), "subject": e.Subject()}
	for name, value := range e.Extensions() {
		if text, ok := value.(string); ok {
			attributes[name] = text
		}
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if len(name) > maxQuoted || len(attributes[name]) > maxAttributeBytes {
			return invalidEvent("attribute %q is too long: names may have %d bytes, values %d", clip(name), maxQuoted, maxAttributeBytes)
		}
	}
	return nil
}

func invalidEvent(format string, args ...any) error {
	return functions.Errorf(functions.Invalid, "", "not a valid CloudEvent: "+format, args...)
}

// maxQuoted is how much of a sender's own words an error repeats.
const maxQuoted = 64

func clip(words string) string { return words[:min(len(words), maxQuoted)] }
