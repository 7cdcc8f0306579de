package gateway

import (
	"mime"
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

// acceptedImages returns the types of images, and the wildcards, in the Accept headers of a request
// (RFC 9110, 12.5.1). A type of weight 0 is not accepted.
func acceptedImages(headers []string) (all []string) {
	for _, part := range strings.Split(strings.Join(headers, ","), ",") {
		name, settings, err := mime.ParseMediaType(part)
		if err != nil || name != "*/*" && !strings.HasPrefix(name, "image/") || len(all) == maxAccepted {
			continue
		}
		if weight, err := strconv.ParseFloat(settings["q"], 64); err == nil && weight == 0 {
			continue
		}
		all = append(all, name)
	}
	return all
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
