package event

import (
	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/functions"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/presets"
)

// CheckParameters returns an error if a Handler of the processor would refuse every
// event because of the parameters of the step, which are the query of its URL.
func CheckParameters(p functions.Processor, set *presets.Set, query string) error {
	req, err := newRequest(p, validEvent(), query)
	if err != nil {
		return err
	}
	return job.Check(p, set, req)
}

func validEvent() *cloudevent.Event {
	e := cloudevent.New()
	e.SetType(events.ObjectCreatedPrefix + "Put")
	e.DataEncoded = []byte(`{"s3":{"bucket":{"name":"bucket"},"object":{"key":"image.jpg"}}}`)
	return &e
}
