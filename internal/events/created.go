package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/objects"
)

// CreationNames returns the names that a store's notifications give to the creation
// of an object. Other notifications, such as those about tags, which ImageFlow sets
// itself, must not start a chain.
func CreationNames() []string {
	return []string{
		putName, "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload",
	}
}

const putName = storePrefix + "ObjectCreated:Put"

// IsCreation reports whether a notification of this name is about the creation of an object.
func IsCreation(name string) bool { return slices.Contains(CreationNames(), name) }

func isAboutObject(eventType string) bool { return strings.HasPrefix(eventType, objectPrefix) }

// errNoObject means that a record has no bucket or no key.
var errNoObject = errors.New("the record names no object")

// NewObjectCreated returns the event for a record of a store's notification in the
// form of the CloudEvents adapter for S3 (cloudevents/spec, adapters/aws-s3.md). The
// data is raw, the record's JSON. Equal notifications give equal ids.
func NewObjectCreated(record *objects.Record, raw []byte) (cloudevent.Event, error) {
	return newObjectEvent(record, raw, record.S3.Object.Sequencer)
}

// NewObjectFound returns the event for an object that was found in a listing. Equal
// versions of an object give equal events.
func NewObjectFound(info objects.Info) (cloudevent.Event, error) { return newFoundEvent(info, "sweep") }

// NewObjectBackfilled is NewObjectFound for a backfill. The event is for the chain of this name.
func NewObjectBackfilled(info objects.Info, chain string) (cloudevent.Event, error) {
	e, err := newFoundEvent(info, "backfill "+chain)
	Backfill.Set(&e, chain)
	return e, err
}

func newFoundEvent(info objects.Info, occasion string) (cloudevent.Event, error) {
	var record objects.Record
	record.EventName, record.EventTime = putName, info.Modified
	record.S3.Bucket.Name = info.Bucket
	object := &record.S3.Object
	object.EscapedKey, object.Size, object.ETag = url.QueryEscape(info.Key), info.Size, info.ETag
	object.ContentType, object.UserMetadata = info.ContentType, info.Metadata
	raw, err := json.Marshal(record)
	if err != nil {
		return cloudevent.Event{}, err
	}
	return newObjectEvent(&record, raw, occasion)
}

// newObjectEvent returns the event of a record. The occasion distinguishes several
// events about one version of an object.
func newObjectEvent(record *objects.Record, raw []byte, occasion string) (cloudevent.Event, error) {
	e := cloudevent.New()
	o, err := originOfRecord(record)
	if err != nil {
		return e, err
	}
	e.SetID(idOf(o.Bucket, o.Key, o.ETag, occasion))
	e.SetType(objectPrefix + strings.TrimPrefix(record.EventName, storePrefix))
	e.SetSource("minio:s3.." + o.Bucket)
	e.SetSubject(httpevent.Attribute(o.Key))
	e.SetTime(record.EventTime)
	PartitionKey.Set(&e, execution.ID(o.Key)) // as in the events of the steps
	o.Set(&e)
	if err := e.SetData(cloudevent.ApplicationJSON, raw); err != nil {
		return e, err
	}
	return e, e.Validate()
}

// ParseObjectCreated returns the object in the data of an "object created" event.
func ParseObjectCreated(e *cloudevent.Event) (Origin, error) {
	var record objects.Record
	if json.Unmarshal(e.Data(), &record) != nil {
		return Origin{}, errors.New("not the record of a new object")
	}
	return originOfRecord(&record)
}

func originOfRecord(record *objects.Record) (Origin, error) {
	key, err := record.Key()
	if err != nil {
		return Origin{}, fmt.Errorf("%w: %w", errNoObject, err)
	}
	if key == "" || record.Bucket() == "" {
		return Origin{}, errNoObject
	}
	return Origin{record.Bucket(), key, record.S3.Object.ETag}, nil
}
