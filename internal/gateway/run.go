package gateway

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// location is an object in the store, or the bytes of an image.
type location struct {
	image *imageflowv1.ImageData
	data  []byte
}

// run is one run of a pipeline. It is not safe for concurrent use.
type run struct {
	*Pipeline
	req *imageflowv1.RunPipelineRequest
	// input is the input of the next step.
	input location
	// variant is that of the input; empty if it has none.
	variant string
	// detection is the side-car of the last detection; nil if there is none.
	detection *imageflowv1.ImageData
	// count counts the steps of each processor and variant so far.
	count map[string]int
}

// step runs step i. Its output becomes the input of the next step.
func (r *run) step(ctx context.Context, i int) (*imageflowv1.PipelineStepResponse, error) {
	field, call := request(r.req.GetSteps()[i])
	name := field.Name()
	r.variant = cmp.Or(presets.VariantOf(call), r.variant)
	set(call, "variant", protoreflect.ValueOfString(r.variant))
	r.count[string(name)+"-"+r.variant]++
	set(call, "execution_id", protoreflect.ValueOfString(r.req.GetExecutionId()))
	in := r.input.image
	from := &imageflowv1.ImageData{Bucket: in.GetBucket(), ObjectKey: in.GetObjectKey(), Etag: in.GetEtag()}
	if len(r.input.data) > 0 {
		from = &imageflowv1.ImageData{}
		set(call, "input_bytes", protoreflect.ValueOfBytes(r.input.data))
	}
	if i == 0 {
		from.Page, from.Pages = in.GetPage(), in.GetPages()
	}
	set(call, "input_image", protoreflect.ValueOfMessage(from.ProtoReflect()))
	r.takeDetection(call)
	if out := r.output(name, presetOutput(call), i == len(r.req.GetSteps())-1); out != nil {
		set(call, "output_image", protoreflect.ValueOfMessage(out.ProtoReflect()))
	}
	answer := &imageflowv1.PipelineStepResponse{}
	done := answer.ProtoReflect().Mutable(answer.ProtoReflect().Descriptor().Fields().ByName(name)).Message().Interface()
	if err := r.Processors.call(ctx, name, call.Interface(), done); err != nil {
		return nil, r.failed(i, name, err)
	}
	result := done.(interface {
		GetResult() *imageflowv1.ProcessingResult
	}).GetResult()
	r.input = location{result.GetOutputImage(), result.GetOutputData()}
	if key := events.SideCar.Get(result); key != "" && string(name) == processors.Detect.Name {
		r.detection = &imageflowv1.ImageData{Bucket: result.GetOutputImage().GetBucket(), ObjectKey: key}
	}
	if r.input.image.GetObjectKey() == "" && len(r.input.data) == 0 {
		return nil, r.failed(i, name, status.Error(codes.Internal, "internal error"))
	}
	result.OutputData = nil // RunPipelineResponse has the data of the last step
	return answer, nil
}

// takeDetection names the side-car of the last detection in a request that takes it. The processor would derive the
// name from the key of its input, which does not have the number of the detection.
func (r *run) takeDetection(call protoreflect.Message) {
	field := presets.Detected(call.Interface())
	if field == nil || r.detection == nil {
		return // the detection of an earlier call, or an error of the processor
	}
	selection := call.Mutable(field).Message()
	selection.Clear(field.Message().Fields().ByName("detected"))
	set(selection, "detections", protoreflect.ValueOfMessage(r.detection.ProtoReflect()))
}

// presetOutput returns the content type of the output that the preset of a step has; nil if it has none.
func presetOutput(call protoreflect.Message) *imageflowv1.ImageData {
	return call.Interface().(interface {
		GetOutputImage() *imageflowv1.ImageData
	}).GetOutputImage()
}

// output returns where a step writes, in the format of its preset; nil means the default of the processor. If a
// processor has several steps without a variant, the later ones get names of their own, because they would
// overwrite the earlier output, which may be their input.
func (r *run) output(name protoreflect.Name, preset *imageflowv1.ImageData, last bool) *imageflowv1.ImageData {
	out := preset
	if last && r.req.GetOutputImage() != nil {
		out = proto.CloneOf(r.req.GetOutputImage())
		out.ContentType = cmp.Or(out.GetContentType(), preset.GetContentType())
	}
	n := r.count[string(name)+"-"+r.variant]
	named := out.GetObjectKey() != "" || out.GetContentType() == autoType // which has no name to derive
	if n == 1 || len(r.req.GetInputBytes()) > 0 || named {
		return out
	}
	p, _ := processors.Named(string(name))
	out = proto.CloneOf(out)
	if out == nil {
		out = &imageflowv1.ImageData{}
	}
	out.ObjectKey = r.req.GetExecutionId() + "_" + p.Suffix + "-" + strconv.Itoa(n) +
		extension(out.GetContentType(), r.input.image.GetObjectKey())
	return out
}

// extension returns the file extension of a content type, or that of the input if the
// content type is empty.
func extension(contentType, input string) string {
	switch format := strings.TrimPrefix(contentType, "image/"); format {
	case "":
		return path.Ext(input)
	case "jpeg":
		return ".jpg"
	default:
		return "." + format
	}
}

// ownFields are the fields of a step's request that the pipeline sets.
var ownFields = map[string]bool{"input_image": true, "input_bytes": true, "output_image": true, "execution_id": true}

// failed adds the step to an error and keeps its code and its details. The names of
// invalid fields become paths in the request of the pipeline.
func (r *run) failed(i int, name protoreflect.Name, err error) error {
	s := status.Convert(sanitizeStatus(status.Convert(err), err)).Proto()
	at := fmt.Sprintf("steps[%d]", i)
	s.Message = fmt.Sprintf("%s %s: %s", at, name, s.GetMessage())
	if i > 0 { // the image is an output, not a part of the caller's request
		s.Details = slices.DeleteFunc(s.GetDetails(), isSize)
	}
	for _, detail := range s.GetDetails() {
		fields := &errdetails.BadRequest{}
		if detail.UnmarshalTo(fields) != nil {
			continue // another kind of detail
		}
		for _, v := range fields.GetFieldViolations() {
			if first, _, _ := strings.Cut(v.GetField(), "."); !ownFields[first] {
				v.Field = fmt.Sprintf("%s.%s.%s", at, name, v.GetField())
			}
		}
		if err := detail.MarshalFrom(fields); err != nil {
			return err
		}
	}
	info, err := anypb.New(&errdetails.ErrorInfo{
		Reason: "PIPELINE_STEP_FAILED", Domain: events.ErrorDomain,
		Metadata: map[string]string{"index": strconv.Itoa(i), "name": string(name), "execution_id": r.req.GetExecutionId()},
	})
	if err != nil {
		return err
	}
	s.Details = append(s.Details, info)
	return status.ErrorProto(s)
}
