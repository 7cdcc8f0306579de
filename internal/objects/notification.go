package objects

import (
	"net/url"
	"strings"
	"time"
)

// Notification is the message that MinIO posts to a webhook when an object was
// created. It usually has one record.
type Notification struct {
	EventName string
	Key       string
	Records   []Record
}

// Record is one entry of a Notification, in the format of Amazon's S3 events. Fields
// that ImageFlow does not read are omitted.
type Record struct {
	EventName string    `json:"eventName"`
	EventTime time.Time `json:"eventTime"`
	S3        struct {
		Bucket struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			// EscapedKey is query-escaped; see Record.Key.
			EscapedKey   string            `json:"key"`
			Size         int64             `json:"size"`
			ETag         string            `json:"eTag"`
			ContentType  string            `json:"contentType"`
			UserMetadata map[string]string `json:"userMetadata"`
			// Sequencer orders the events of one key: a later event has a greater string.
			Sequencer string `json:"sequencer"`
		} `json:"object"`
	} `json:"s3"`
}

// Bucket returns the bucket's name.
func (r *Record) Bucket() string { return r.S3.Bucket.Name }

// Key returns the object's key without escapes.
func (r *Record) Key() (string, error) { return url.QueryUnescape(r.S3.Object.EscapedKey) }

// Info returns the record's description of the object.
func (r *Record) Info() (Info, error) {
	key, err := r.Key()
	o := r.S3.Object
	metadata := make(map[string]string, len(o.UserMetadata))
	for name, value := range o.UserMetadata {
		name = strings.TrimPrefix(strings.ToLower(name), "x-amz-meta-")
		metadata[name] = unescaped(value)
	}
	return Info{
		Bucket: r.Bucket(), Key: key, ETag: o.ETag, ContentType: o.ContentType,
		Size: o.Size, Modified: r.EventTime, Metadata: metadata,
	}, err
}
