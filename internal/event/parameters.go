package event

import (
	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/functions"
	"imageflow.dev/internal/job"
)

// CheckParameters refuses the parameters of a step, the query of its URL, with
// which a Door of the processor would refuse every event.
func CheckParameters(p functions.Processor, query string) error {
	req, err := request(p, anEvent(), query)
	if err != nil {
		return err
	}
	return job.Check(p, req)
}

// anEvent is an event at which nothing is wrong.
func anEvent() *cloudevent.Event {
	e := cloudevent.New()
	e.SetType(createdPrefix + "Put")
	e.DataEncoded = []byte(`{"s3":{"bucket":{"name":"bucket"},"object":{"key":"picture.jpg"}}}`)
	return &e
}
