package gateway

import (
	"cmp"
	"mime"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// autoType is the content type of an output in the smallest format that the caller reads.
	autoType = "auto"
	// maxAccepted is the contract's limit of Encoding.accept.
	maxAccepted = 32
)

// readByAll are the types that a wildcard means: everything that reads images reads them.
var readByAll = []string{"image/jpeg", "image/png"}

// acceptedImages returns the types of images in the Accept headers of a request by descending weight, at
// most maxAccepted (RFC 9110, 12.5.1). A request without the header accepts all. A type of weight 0 is not
// accepted, a name overrides wildcards, and image/* overrides */*.
func acceptedImages(headers []string) []string {
	if len(headers) == 0 {
		return readByAll
	}
	weights := map[string]float64{}
	var all []string
	for _, part := range strings.Split(strings.Join(headers, ","), ",") {
		name, settings, err := mime.ParseMediaType(part)
		if err != nil || name != "*/*" && !strings.HasPrefix(name, "image/") {
			continue
		}
		if _, twice := weights[name]; !twice && !strings.HasSuffix(name, "/*") {
			all = append(all, name)
		}
		weight, err := strconv.ParseFloat(settings["q"], 64)
		if err != nil {
			weight = 1
		}
		weights[name] = weight
	}
	for _, name := range readByAll {
		if _, named := weights[name]; named {
			continue
		}
		weight, ok := weights["image/*"]
		if !ok {
			weight = weights["*/*"]
		}
		all, weights[name] = append(all, name), weight
	}
	all = slices.DeleteFunc(all, func(name string) bool { return weights[name] == 0 })
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(weights[b], weights[a]) })
	return all[:min(len(all), maxAccepted)]
}

// setAccepted sets Encoding.accept of a request for an output in the smallest format, or of the last
// step of a pipeline, unless the request has it.
func setAccepted(req proto.Message, accepted []string) {
	out, ok := req.(interface{ GetOutputImage() *imageflowv1.ImageData })
	if !ok || out.GetOutputImage().GetContentType() != autoType || len(accepted) == 0 {
		return
	}
	m := req.ProtoReflect()
	if pipeline, ok := req.(*imageflowv1.RunPipelineRequest); ok {
		if len(pipeline.GetSteps()) == 0 {
			return
		}
		m = pipeline.GetSteps()[len(pipeline.GetSteps())-1].ProtoReflect()
		field := m.WhichOneof(m.Descriptor().Oneofs().ByName("processor"))
		if field == nil {
			return
		}
		m = m.Mutable(field).Message()
	}
	field := m.Descriptor().Fields().ByName("encoding")
	if field == nil {
		return
	}
	if e := m.Mutable(field).Message().Interface().(*imageflowv1.Encoding); len(e.GetAccept()) == 0 {
		e.Accept = accepted
	}
}
