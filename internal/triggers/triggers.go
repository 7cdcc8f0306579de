// Package triggers follows Triggers from an upload. It describes the chains that they make, and finds what is wrong
// about them, such as two Triggers that write two outputs with one key: the later output replaces the earlier one,
// or is refused.
package triggers

import (
	"cmp"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Trigger is the JSON of a Knative Trigger, reduced to its description, its filters and its subscriber.
type Trigger struct {
	// Location names the Trigger and its file, for messages. Empty means the name alone.
	Location string `json:"-"`
	// File is the name of the file, if Parse has read the Trigger.
	File string `json:"-"`
	// IsInner marks a step of a pipeline before the last one: it writes an output, but sends no event.
	IsInner bool `json:"-"`
	// pipeline is the name of the pipeline with the step.
	pipeline string
	// expanded is the request of the step with the parameters of its preset. Expand sets it.
	expanded proto.Message
	Metadata struct {
		Name, Namespace string
		Annotations     map[string]string
	}
	Spec struct {
		Broker     string
		Filter     *struct{ Attributes map[string]string }
		Filters    []Filter
		Subscriber struct {
			Ref *struct{ Namespace, Name string }
			URI string
		}
	}
}

// Filter is a filter of a Trigger in one of the dialects.
type Filter struct {
	Exact, Prefix, Suffix map[string]string
	All, Any              []Filter
	Not                   *Filter
	CESQL                 string
}

// advice completes the errors about two outputs with one key.
const advice = "give each a variant of its own in its subscriber's uri (variant=small), " +
	"let the filters select different events, such as by a prefix of the subject, " +
	"or give one of them a bucket of its own with output_image.bucket"

// String returns the name of a Trigger for messages.
func (t Trigger) String() string {
	name := fmt.Sprintf("Trigger %s/%s", t.Metadata.Namespace, t.Metadata.Name)
	return cmp.Or(t.Location, name)
}

// service returns the namespace and the name of the subscriber; empty if it is not a Service.
func (t Trigger) service() (namespace, name string) {
	ref := t.Spec.Subscriber.Ref
	if ref == nil {
		return "", ""
	}
	return cmp.Or(ref.Namespace, t.Metadata.Namespace), ref.Name
}

// IsLike reports whether two Triggers have the same broker, filters and subscriber, also if Knative has completed one.
func (t Trigger) IsLike(other Trigger) bool {
	space, name := t.service()
	otherSpace, otherName := other.service()
	return t.broker() == other.broker() && space == otherSpace && name == otherName &&
		t.Spec.Subscriber.URI == other.Spec.Subscriber.URI && reflect.DeepEqual(t.conditions(), other.conditions())
}

// conditions returns the filters without those that match any event.
func (t Trigger) conditions() (found []Filter) {
	for _, f := range t.filters() {
		if f.Exact == nil || len(f.Exact) > 0 {
			found = append(found, f)
		}
	}
	return found
}

// sameNames reports whether two Triggers on one broker make one processor write outputs
// with the same key for the same event.
func sameNames(a, b Trigger) (processors.Info, bool) {
	aSpace, aName := a.service()
	bSpace, bName := b.service()
	p, ok := processors.At(aName)
	if !ok || aName != bName || aSpace != bSpace || a.broker() != b.broker() {
		return p, false
	}
	return p, sameOutput(p, a.output(), b.output())
}

// sameOutput reports whether two outputs of a processor for one execution, or their side-cars, have one key.
func sameOutput(p processors.Info, a, b output) bool {
	if a.bucket != b.bucket || a.key != b.key || a.key == "" && a.variant != b.variant {
		return false
	}
	otherFormat := a.format != "" && b.format != "" && a.format != b.format
	return a.key != "" || p.HasSideCar || !otherFormat
}

// isSameOutput reports whether the last steps of two paths write outputs with one key.
func isSameOutput(all []Trigger, p, q path) bool {
	aSpace, aName := all[p.last()].service()
	bSpace, bName := all[q.last()].service()
	return aName == bName && aSpace == bSpace && sameOutput(p.processor, p.output, q.output)
}

// describe returns the key of the output for messages.
func (o output) describe(p processors.Info) string {
	return cmp.Or(o.key, processors.Names{Execution: "<execution id>", Variant: o.variant}.Key(p))
}

func (t Trigger) broker() string {
	return t.Metadata.Namespace + "/" + cmp.Or(t.Spec.Broker, "default")
}

// output is the output that the parameters of a step name, of which a preset may have the format. Empty fields are
// derived from the event.
type output struct{ bucket, key, format, variant string }

func (t Trigger) output() output {
	uri, err := url.Parse(t.Spec.Subscriber.URI)
	if err != nil {
		return output{} // another check reports it
	}
	q := uri.Query()
	get := func(field, jsonName string) string {
		return cmp.Or(q.Get("output_image."+field), q.Get("outputImage."+jsonName),
			q.Get("output_image."+jsonName), q.Get("outputImage."+field))
	}
	media := cmp.Or(get("content_type", "contentType"), contentType(t.expanded))
	format := strings.TrimPrefix(strings.ToLower(media), "image/")
	return output{
		bucket: get("bucket", "bucket"), key: get("object_key", "objectKey"),
		format: strings.Replace(format, "jpg", "jpeg", 1), variant: q.Get("variant"),
	}
}

// contentType returns the media type of the output that a request names; empty if it names none.
func contentType(req proto.Message) string {
	named, _ := req.(interface{ GetOutputImage() *imageflowv1.ImageData })
	if named == nil {
		return ""
	}
	return named.GetOutputImage().GetContentType()
}
