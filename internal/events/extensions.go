package events

import (
	"fmt"
	"strconv"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/objects"
)

// The extensions of ImageFlow's events.
const (
	// Signature holds the signature; see package signature.
	Signature Text = "imageflowsig"
	// OriginURI holds the URI of the object that the chain began with.
	OriginURI Text = "origin"
	// VariantOf holds the variant of the output that the event reports, which later steps inherit.
	// Events of outputs without a variant do not have it. It is signed.
	VariantOf Text = "variant"
	// CausationID holds the id of the event that led to this one.
	CausationID Text = "causationid"
	// CorrelationID holds the id of the first event of the chain.
	CorrelationID Text = "correlationid"
	// PartitionKey holds the execution id: events with equal keys keep their order.
	PartitionKey Text = "partitionkey"
	// Backfill marks the events of a backfill and holds the name of its chain, for the
	// filters of Triggers. Steps do them after all others. It is signed.
	Backfill Text = "backfill"
	// Began holds the time at which the chain began.
	Began Time = "began"
	// ChainLength counts the steps that led to this event.
	ChainLength Integer = "hops"
)

// Text is the name of an extension whose value is text.
type Text string

// Get returns the extension in its text form, and false where it is missing. A
// value of another type counts as its text form, which is what an event in binary
// mode carries.
func (x Text) Get(e *cloudevent.Event) (string, bool) {
	value, ok := e.Extensions()[string(x)]
	if !ok {
		return "", false
	}
	text, err := types.Format(value)
	return text, err == nil
}

// Set sets the extension. Characters that an attribute must not have are
// percent-encoded.
func (x Text) Set(e *cloudevent.Event, text string) {
	e.SetExtension(string(x), httpevent.Attribute(text))
}

// Integer is the name of an extension whose value is an integer.
type Integer string

// Get returns the extension, and 0 where it is missing or not an integer.
func (x Integer) Get(e *cloudevent.Event) int {
	n, err := types.ToInteger(e.Extensions()[string(x)])
	if err != nil {
		return 0
	}
	return int(n)
}

// Check returns an error if the extension is there and is not an integer from 0.
func (x Integer) Check(e *cloudevent.Event) error {
	text, ok := Text(x).Get(e)
	if _, err := strconv.ParseUint(text, 10, 31); ok && err != nil {
		return fmt.Errorf("%.64q must be an integer from 0", text)
	}
	return nil
}

// Set sets the extension. The event is not valid if n does not fit in 32 bits.
func (x Integer) Set(e *cloudevent.Event, n int) { e.SetExtension(string(x), n) }

// Time is the name of an extension whose value is a time.
type Time string

// Get returns the extension, and the zero time where it is missing or not a time.
func (x Time) Get(e *cloudevent.Event) time.Time {
	at, err := types.ToTime(e.Extensions()[string(x)])
	if err != nil {
		return time.Time{}
	}
	return at
}

// Set sets the extension.
func (x Time) Set(e *cloudevent.Event, at time.Time) { e.SetExtension(string(x), at) }

// Origin is the version of an object that a chain began with. An empty ETag
// stands for any version.
type Origin struct{ Bucket, Key, ETag string }

// Set sets the extension OriginURI of an event.
func (o Origin) Set(e *cloudevent.Event) { OriginURI.Set(e, objects.URI(o.Bucket, o.Key, o.ETag)) }

// OriginOf returns the object that an event's chain began with: the extension
// OriginURI, or the object of an event about an object that another producer made.
// It returns false where the event names no object.
func OriginOf(e *cloudevent.Event) (Origin, bool) {
	if uri, ok := OriginURI.Get(e); ok {
		bucket, key, etag, err := objects.ParseURI(uri)
		return Origin{bucket, key, etag}, err == nil
	}
	if !isAboutObject(e.Type()) {
		return Origin{}, false
	}
	o, err := ParseObjectCreated(e)
	return o, err == nil
}
