package gateway

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// picture is where a picture lies, or its bytes.
type picture struct {
	image *imageflowv1.ImageData
	data  []byte
}

// walk is one picture on its way through the steps. It belongs to one goroutine.
type walk struct {
	*Pipeline
	req *imageflowv1.RunPipelineRequest
	// at is what the next step reads.
	at picture
	// times counts how often each processor has had its turn.
	times map[protoreflect.Name]int
}

// step does one step and moves on to the picture that it made.
func (w *walk) step(ctx context.Context, i int) (*imageflowv1.PipelineStepResponse, error) {
	field, call := request(w.req.GetSteps()[i])
	name := field.Name()
	w.times[name]++
	set(call, "execution_id", protoreflect.ValueOfString(w.req.GetExecutionId()))
	if len(w.at.data) > 0 {
		set(call, "input_bytes", protoreflect.ValueOfBytes(w.at.data))
	} else {
		from := &imageflowv1.ImageData{Bucket: w.at.image.GetBucket(), ObjectKey: w.at.image.GetObjectKey(), Etag: w.at.image.GetEtag()}
		set(call, "input_image", protoreflect.ValueOfMessage(from.ProtoReflect()))
	}
	if out := w.output(name, i == len(w.req.GetSteps())-1); out != nil {
		set(call, "output_image", protoreflect.ValueOfMessage(out.ProtoReflect()))
	}
	answer := &imageflowv1.PipelineStepResponse{}
	done := answer.ProtoReflect().Mutable(answer.ProtoReflect().Descriptor().Fields().ByName(name)).Message().Interface()
	if err := w.Processors.call(ctx, name, call.Interface(), done); err != nil {
		return nil, w.failed(i, name, err)
	}
	result := done.(interface {
		GetResult() *imageflowv1.ProcessingResult
	}).GetResult()
	w.at = picture{result.GetOutputImage(), result.GetOutputData()}
	if w.at.image.GetObjectKey() == "" && len(w.at.data) == 0 {
		return nil, w.failed(i, name, status.Error(codes.Internal, "internal error"))
	}
	result.OutputData = nil // the last one's is the pipeline's
	return answer, nil
}

// output says where a step writes; nil leaves it to the step. A processor that
// has its turn again gets a name of its own, or it would write over its earlier
// output, and that can be what it reads.
func (w *walk) output(name protoreflect.Name, last bool) *imageflowv1.ImageData {
	var out *imageflowv1.ImageData
	if last {
		out = w.req.GetOutputImage()
	}
	n := w.times[name]
	if n == 1 || len(w.req.GetInputBytes()) > 0 || out.GetObjectKey() != "" {
		return out
	}
	p, _ := processors.Named(string(name))
	out = proto.CloneOf(out)
	if out == nil {
		out = &imageflowv1.ImageData{}
	}
	out.ObjectKey = w.req.GetExecutionId() + "_" + p.Suffix + "-" + strconv.Itoa(n) +
		extension(out.GetContentType(), w.at.image.GetObjectKey())
	return out
}

// extension returns the extension for the wanted format, or else that of the
// picture before.
func extension(contentType, before string) string {
	switch format := strings.TrimPrefix(contentType, "image/"); format {
	case "":
		return path.Ext(before)
	case "jpeg":
		return ".jpg"
	default:
		return "." + format
	}
}

// ownFields are those of a step's request that the pipeline gives it.
var ownFields = map[string]bool{"input_image": true, "input_bytes": true, "output_image": true, "execution_id": true}

// failed says which step an error is of. Its code and its details stay; a field
// at fault is named as the pipeline's request has it.
func (w *walk) failed(i int, name protoreflect.Name, err error) error {
	s := status.Convert(sanitizeStatus(status.Convert(err), err)).Proto()
	at := fmt.Sprintf("steps[%d]", i)
	s.Message = fmt.Sprintf("%s %s: %s", at, name, s.GetMessage())
	for _, detail := range s.GetDetails() {
		fields := &errdetails.BadRequest{}
		if detail.UnmarshalTo(fields) != nil {
			continue // something else
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
		Reason: "PIPELINE_STEP_FAILED", Domain: "imageflow.dev",
		Metadata: map[string]string{"index": strconv.Itoa(i), "name": string(name), "execution_id": w.req.GetExecutionId()},
	})
	if err != nil {
		return err
	}
	s.Details = append(s.Details, info)
	return status.ErrorProto(s)
}
