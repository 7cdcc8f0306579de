package triggers

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The parameters of a step that list its further outputs, and that name a preset, which may list them.
const (
	renditionsParameter = "renditions"
	presetParameter     = "preset"
)

// renditions returns a Trigger for each further output of a step. These Triggers send no events: the event of the step
// follows when all its outputs are stored.
func (t Trigger) renditions(set *presets.Set) (all []Trigger) {
	uri, err := url.Parse(t.Spec.Subscriber.URI)
	if _, service := t.service(); err != nil || service != processors.Resize.Host {
		return nil // another check reports it
	}
	listed := listedRenditions(uri.Query())
	if len(listed) == 0 {
		listed = presetRenditions(set, uri.Query().Get(presetParameter))
	}
	return t.inner(listed, t.output())
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

// listedRenditions returns the variants and the formats of the renditions that a query lists: as
// renditions.<variant>.<field>, or as JSON.
func listedRenditions(query url.Values) (all []*imageflowv1.Rendition) {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		parts := strings.Split(name, ".")
		if parts[0] != renditionsParameter {
			continue
		}
		for _, text := range query[name] {
			if len(parts) == 1 {
				all = append(all, ofJSON(text)...)
				continue
			}
			i := slices.IndexFunc(all, func(r *imageflowv1.Rendition) bool { return r.GetVariant() == parts[1] })
			if i < 0 {
				i, all = len(all), append(all, &imageflowv1.Rendition{Variant: parts[1]})
			}
			if last := parts[len(parts)-1]; last == "content_type" || last == "contentType" {
				all[i].ContentType = text
			}
		}
	}
	return all
}

// ofJSON returns renditions of JSON, which is one or a list of them; none if it is wrong, which another check reports.
func ofJSON(text string) (all []*imageflowv1.Rendition) {
	if strings.HasPrefix(text, "{") {
		text = "[" + text + "]"
	}
	var items []struct {
		Variant string
		Snake   string `json:"content_type"`
		Camel   string `json:"contentType"`
	}
	if json.Unmarshal([]byte(text), &items) != nil {
		return nil
	}
	for _, item := range items {
		all = append(all, &imageflowv1.Rendition{Variant: item.Variant, ContentType: item.Snake + item.Camel})
	}
	return all
}

// presetRenditions returns the renditions of a preset of resize; none if there is no such preset.
func presetRenditions(set *presets.Set, name string) []*imageflowv1.Rendition {
	for place, req := range set.Requests(processors.Resize.Name) {
		if r, ok := req.(*imageflowv1.ResizeRequest); ok && place == "preset "+name {
			return r.GetRenditions()
		}
	}
	return nil
}
