package triggers

import (
	"net/url"

	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/queryparams"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// renditions returns a Trigger for each further output of a step. These Triggers send no events: the event of the step
// follows when all its outputs are stored.
func (t Trigger) renditions(set *presets.Set) []Trigger {
	uri, err := url.Parse(t.Spec.Subscriber.URI)
	req := &imageflowv1.ResizeRequest{}
	if _, service := t.service(); err != nil || service != processors.Resize.Host || queryparams.Read(req, uri.Query()) != nil {
		return nil // another check reports what is wrong
	}
	if expanded, err := set.Expand(req); err == nil {
		req = expanded.(*imageflowv1.ResizeRequest)
	}
	return t.inner(req.GetRenditions(), t.output())
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
		one.Location, one.IsInner = t.String(), true
		one.Spec.Subscriber.URI = "/?" + query.Encode()
		all = append(all, one)
	}
	return all
}
