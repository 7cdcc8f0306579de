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

// parseNotification returns the uploads that a notification reports, and the error of
// the first malformed record.
func parseNotification(body []byte) (found []upload, malformed error) {
	if err := jsonlimit.Check(body, notificationLimits); err != nil {
		return nil, fmt.Errorf("malformed notification: %w", err)
	}
	var n struct{ Records []json.RawMessage }
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, fmt.Errorf("malformed notification: %w", err)
	}
	if len(n.Records) == 0 {
		return nil, errors.New("the notification has no records")
	}
	for _, raw := range n.Records {
		u, isUpload, err := parseRecord(raw)
		switch {
		case err != nil:
			malformed = cmp.Or(malformed, err)
		case isUpload:
			found = append(found, u)
		}
	}
	return found, malformed
}

// parseRecord returns the upload that a record reports. It returns false for other
// records: those of deletions, of tags, and of objects that ImageFlow wrote.
func parseRecord(raw []byte) (u upload, isUpload bool, err error) {
	var record objects.Record
	if err := json.Unmarshal(raw, &record); err != nil {
		return u, false, fmt.Errorf("malformed record: %w", err)
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
