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

// notificationLimits are far above what a store posts, which is one record.
var notificationLimits = jsonlimit.Limits{Bytes: maxNotificationBytes, Depth: 32, Elements: 10_000}

// readNotification returns the uploads that a notification reports, and what is
// wrong with its first record that cannot be read.
func readNotification(body []byte) (found []upload, wrong error) {
	if err := jsonlimit.Check(body, notificationLimits); err != nil {
		return nil, fmt.Errorf("the notification is not what a store posts: %w", err)
	}
	var n struct{ Records []json.RawMessage }
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, fmt.Errorf("the notification is not what a store posts: %w", err)
	}
	if len(n.Records) == 0 {
		return nil, errors.New("the notification has no records")
	}
	for _, raw := range n.Records {
		u, created, err := readRecord(raw)
		switch {
		case err != nil:
			wrong = cmp.Or(wrong, err)
		case created:
			found = append(found, u)
		}
	}
	return found, wrong
}

// readRecord reads a record. Created is false for a record of anything but a new
// object of somebody else.
func readRecord(raw []byte) (u upload, created bool, err error) {
	var record objects.Record
	if err := json.Unmarshal(raw, &record); err != nil {
		return u, false, fmt.Errorf("a record is not what a store posts: %w", err)
	}
	u.info, err = record.Info()
	if !events.IsCreation(record.EventName) || err == nil && execution.WrittenByUs(u.info) {
		return u, false, nil
	}
	if u.event, err = events.NewObjectCreated(&record, raw); err != nil {
		return u, false, err
	}
	return u, true, nil
}
