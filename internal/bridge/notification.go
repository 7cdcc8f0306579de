package bridge

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/jsonlimit"
	"imageflow.dev/internal/objects"
)

// upload is a new object and the event that starts its chain.
type upload struct {
	info  objects.Info
	event cloudevents.Event
}

// notificationLimits are far above the notifications of a store, which have one record.
var notificationLimits = jsonlimit.Limits{Bytes: maxNotificationBytes, Depth: 32, Elements: 10_000}

// parseNotification returns the uploads and the outputs of steps that a notification
// reports, and the error of the first malformed record.
func parseNotification(body []byte) (found []upload, outputs []objects.Info, malformed error) {
	if err := jsonlimit.Check(body, notificationLimits); err != nil {
		return nil, nil, fmt.Errorf("malformed notification: %w", err)
	}
	var n struct{ Records []json.RawMessage }
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, nil, fmt.Errorf("malformed notification: %w", err)
	}
	if len(n.Records) == 0 {
		return nil, nil, errors.New("the notification has no records")
	}
	for _, raw := range n.Records {
		u, kind, err := parseRecord(raw)
		switch {
		case err != nil:
			malformed = cmp.Or(malformed, err)
		case kind == uploadRecord:
			found = append(found, u)
		case kind == outputRecord:
			outputs = append(outputs, u.info)
		}
	}
	return found, outputs, malformed
}

// recordKind is what a record of a notification reports.
type recordKind int

const (
	// otherRecord is about a deletion, about tags, or about an object that ImageFlow wrote beside an output.
	otherRecord recordKind = iota
	uploadRecord
	// outputRecord is about the output of a step.
	outputRecord
)

// parseRecord returns the object that a record reports. Only an upload has an event.
func parseRecord(raw []byte) (u upload, kind recordKind, err error) {
	var record objects.Record
	if err := json.Unmarshal(raw, &record); err != nil {
		return u, otherRecord, fmt.Errorf("malformed record: %w", err)
	}
	u.info, err = record.Info()
	switch {
	case !events.IsCreation(record.EventName):
		return u, otherRecord, nil
	case err == nil && execution.IsStepOutput(u.info):
		return u, outputRecord, nil
	case err == nil && execution.WrittenByUs(u.info):
		return u, otherRecord, nil
	}
	if u.event, err = events.NewObjectCreated(&record, raw); err != nil {
		return u, otherRecord, err
	}
	return u, uploadRecord, nil
}
