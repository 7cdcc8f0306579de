package bridge

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/jsonlimit"
	"imageflow.dev/internal/objects"
)

// CreatedEvents are the notifications that mean a new picture. Others, such as
// those of new tags, which we set ourselves, must not start a chain.
var CreatedEvents = []string{
	"s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload",
}

// createdType begins the types of events of new objects.
const createdType = "com.amazonaws.s3."

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
	if !slices.Contains(CreatedEvents, record.EventName) || err == nil && execution.WrittenByUs(u.info) {
		return u, false, nil
	}
	if u.event, err = eventOf(&record, raw, record.S3.Object.Sequencer); err != nil {
		return u, false, err
	}
	return u, true, nil
}

// eventOf makes the event of a new object in the form of the CloudEvents adapter
// for S3 (cloudevents/spec, adapters/aws-s3.md). Its id follows from the object's
// version and the occasion, so that a repeated notification gives an equal event.
func eventOf(record *objects.Record, raw []byte, occasion string) (cloudevents.Event, error) {
	e := cloudevents.NewEvent()
	key, err := record.Key()
	if err != nil {
		return e, err
	}
	if key == "" || record.Bucket() == "" {
		return e, errors.New("the record names no object")
	}
	etag := record.S3.Object.ETag
	digest := sha256.Sum256([]byte(strings.Join([]string{record.Bucket(), key, etag, occasion}, "\x00")))
	e.SetID(hex.EncodeToString(digest[:16]))
	e.SetType(createdType + strings.TrimPrefix(record.EventName, "s3:"))
	e.SetSource("minio:s3.." + record.Bucket())
	e.SetSubject(httpevent.Attribute(key))
	e.SetTime(record.EventTime)
	e.SetExtension("partitionkey", httpevent.Attribute(execution.ID(key))) // as the events of the steps have
	e.SetExtension("origin", objects.URI(record.Bucket(), key, etag))
	if err := e.SetData(cloudevents.ApplicationJSON, raw); err != nil {
		return e, err
	}
	return e, e.Validate()
}

// sweptEvent makes the event of an object that the sweeper found. It is equal
// each time for one version of the object.
func sweptEvent(info objects.Info) (cloudevents.Event, error) {
	var record objects.Record
	record.EventName, record.EventTime = CreatedEvents[0], info.Modified
	record.S3.Bucket.Name = info.Bucket
	object := &record.S3.Object
	object.EscapedKey, object.Size, object.ETag = url.QueryEscape(info.Key), info.Size, info.ETag
	object.ContentType, object.UserMetadata = info.ContentType, info.Metadata
	raw, err := json.Marshal(record)
	if err != nil {
		return cloudevents.Event{}, err
	}
	return eventOf(&record, raw, "sweep")
}

// source is the version of an object that a chain began with.
type source struct{ bucket, key, etag string }

// sourceOf returns what an event's chain began with, and false where the event
// tells of no object: the origin that our events carry, or the object itself in
// an event of a new one that someone else made.
func sourceOf(e *cloudevents.Event) (s source, ok bool) {
	if origin, ok := e.Extensions()["origin"].(string); ok {
		bucket, key, etag, err := objects.ParseURI(origin)
		return source{bucket, key, etag}, err == nil
	}
	var record objects.Record
	if !strings.HasPrefix(e.Type(), createdType) || json.Unmarshal(e.Data(), &record) != nil {
		return s, false
	}
	key, err := record.Key()
	return source{record.Bucket(), key, record.S3.Object.ETag}, err == nil && key != "" && record.Bucket() != ""
}

// outputOf returns the bucket and the key of the output that a step's event names.
func outputOf(e *cloudevents.Event) (output objects.Info) {
	var data struct {
		Result struct {
			Output struct {
				Bucket string
				Key    string `json:"object_key"`
			} `json:"output_image"`
		}
	}
	if json.Unmarshal(e.Data(), &data) == nil {
		output.Bucket, output.Key = data.Result.Output.Bucket, data.Result.Output.Key
	}
	return output
}
