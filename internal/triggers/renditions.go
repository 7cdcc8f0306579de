package triggers

import (
	"net/url"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/queryparams"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// renditions returns a Trigger for each further output of a step. These Triggers send no events: the event of the step
// follows when all its outputs are stored.
func (t Trigger) renditions() []Trigger {
	req, ok := t.request().(*imageflowv1.ResizeRequest)
	if !ok {
		return nil
	}
	return t.inner(req.GetRenditions(), t.output())
}

// request returns the request that the parameters of a step make, without its input and, before Expand, without what a
// preset has. It is nil if the subscriber is no processor, or if a parameter is wrong, which another check reports.
func (t Trigger) request() proto.Message {
	if t.expanded != nil {
		return t.expanded
	}
	uri, err := url.Parse(t.Spec.Subscriber.URI)
	_, service := t.service()
	p, _ := processors.At(service)
	req := p.NewRequest()
	if err != nil || req == nil {
		return nil
	}
	if queryparams.Read(req, uri.Query()) != nil {
		return nil
	}
	return req
}

// inner returns a Trigger for each further output of a step whose main output is given.
func (t Trigger) inner(renditions []*imageflowv1.Rendition, main output) (all []Trigger) {
	for _, r := range renditions {
		query := url.Values{"variant": {r.GetVariant()}}
		if main.bucket != "" {
			query.Set("output_image.bucket", main.bucket)
		}
		format := r.GetContentType()
		if format == "" {
			format = main.format
		}
		if format != "" {
			query.Set("output_image.content_type", format)
		}
		one := t
		one.Location, one.IsInner, one.expanded = t.String(), true, nil
		one.Spec.Subscriber.URI = "/?" + query.Encode()
		all = append(all, one)
	}
	return all
}
