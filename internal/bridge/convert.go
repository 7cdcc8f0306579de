package bridge

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/objects"
)

// eventOf makes the event of a new object in the form of the CloudEvents adapter
// for S3 (cloudevents/spec, adapters/aws-s3.md). Its id follows from the object's
// version, so that a repeated notification gives an equal event.
func eventOf(record *objects.Record, raw []byte) (cloudevents.Event, error) {
	e := cloudevents.NewEvent()
	key, err := record.Key()
	if err != nil {
		return e, err
	}
	if key == "" || record.Bucket() == "" {
		return e, errors.New("the record names no object")
	}
	object := record.S3.Object
	digest := sha256.Sum256([]byte(strings.Join([]string{record.Bucket(), key, object.ETag, object.Sequencer}, "\x00")))
	e.SetID(hex.EncodeToString(digest[:16]))
	e.SetType("com.amazonaws.s3." + strings.TrimPrefix(record.EventName, "s3:"))
	e.SetSource("minio:s3.." + record.Bucket())
	e.SetSubject(key)
	e.SetTime(record.EventTime)
	e.SetExtension("partitionkey", key)
	e.SetExtension("origin", objects.URI(record.Bucket(), key, object.ETag))
	return e, e.SetData(cloudevents.ApplicationJSON, raw)
}
