package signature

import (
	"fmt"
	"io"
	"net/http"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/jsonlimit"
)

const (
	// maxEventBytes is above the limits of brokers.
	maxEventBytes = 4 << 20
	// maxMembers limits the attributes of an event in structured mode.
	maxMembers = 200
)

// Read returns the verified event of a request. read is httpevent.ReadValid, or httpevent.Read for events that others have
// accepted. The error is ErrUnsigned or ErrInvalid, or else the request is not a CloudEvent of up to 4 MiB, and
// httpevent.Status has its status.
func (s *Signer) Read(
	w http.ResponseWriter, r *http.Request, read func(*http.Request) (*cloudevent.Event, error),
) (*cloudevent.Event, error) {
	if err := s.VerifyHeader(r.Header); err != nil {
		return nil, err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxEventBytes)
	if httpevent.IsStructured(r.Header) {
		r.Body = io.NopCloser(jsonlimit.NewReader(r.Body, jsonlimit.Limits{Members: maxMembers}))
	}
	e, err := read(r)
	if err != nil {
		return nil, fmt.Errorf("not a CloudEvent: %w", err)
	}
	return e, s.Verify(*e)
}
