package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"buf.build/go/protovalidate"
	"github.com/google/uuid"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/metrics"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Pipeline takes pictures through several steps, as a client of the processors.
type Pipeline struct {
	imageflowv1.UnimplementedPipelineServiceServer
	// Processors are the connections to all processors.
	Processors Processors
	// Store is where a written picture is read that is wanted inline. It may be
	// nil: then that is refused with Missing, which says what the gateway lacks.
	Store   *objects.Store
	Missing string
	// Bucket is meant where a request names none.
	Bucket string
	// ReadFrom bounds where a picture may lie that is wanted inline.
	ReadFrom objects.AllowList
	// MaxBytes limits such a picture.
	MaxBytes int64
	// Timeout is what all steps together may take.
	Timeout time.Duration
}

// Backend returns the service for New; it needs no connection of its own.
func (p *Pipeline) Backend() Backend {
	return Backend{Register: func(ctx context.Context, mux *runtime.ServeMux, _ *grpc.ClientConn) error {
		return imageflowv1.RegisterPipelineServiceHandlerServer(ctx, mux, p)
	}}
}

// RunPipeline does a request's steps in their order. It completes the request's
// execution id.
func (p *Pipeline) RunPipeline(ctx context.Context, req *imageflowv1.RunPipelineRequest) (*imageflowv1.RunPipelineResponse, error) {
	start := time.Now()
	req.ExecutionId = cmp.Or(req.GetExecutionId(), execution.ID(req.GetInputImage().GetObjectKey()), uuid.NewString())
	if err := p.check(req); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(carryTrace(ctx), p.Timeout)
	defer cancel()
	w := &walk{Pipeline: p, req: req, at: picture{req.GetInputImage(), req.GetInputBytes()}, times: map[protoreflect.Name]int{}}
	resp := &imageflowv1.RunPipelineResponse{ExecutionId: req.GetExecutionId()}
	for i := range req.GetSteps() {
		answer, err := w.step(ctx, i)
		if err != nil {
			return nil, err
		}
		resp.Steps = append(resp.Steps, answer)
	}
	resp.OutputImage, resp.OutputData = w.at.image, w.at.data
	if req.GetInline() && resp.OutputData == nil {
		var err error
		if resp.OutputData, err = p.read(ctx, resp.GetOutputImage()); err != nil {
			return nil, err
		}
	}
	resp.ProcessingTimeSeconds = time.Since(start).Seconds()
	metrics.PipelineDuration.Record(ctx, resp.GetProcessingTimeSeconds(), metric.WithAttributes(attribute.String("protocol", "call")))
	return resp, nil
}

// check refuses, before anything is done, what breaks the contract's rules, in
// whichever step.
func (p *Pipeline) check(req *imageflowv1.RunPipelineRequest) error {
	if err := protovalidate.Validate(req); err != nil {
		return violation("", err)
	}
	for i, step := range req.GetSteps() {
		field, call := request(step)
		set(call, "input_bytes", protoreflect.ValueOfBytes([]byte("any")))
		if err := protovalidate.Validate(call.Interface()); err != nil {
			return violation(fmt.Sprintf("steps[%d].%s", i, field.Name()), err)
		}
	}
	out := req.GetOutputImage()
	written := req.GetInputImage().GetObjectKey() != "" || out.GetBucket() != "" || out.GetObjectKey() != ""
	if written && !execution.NamesFit(req.GetExecutionId()) {
		return invalid("execution_id", fmt.Sprintf("makes an output's key with more than %d bytes between two slashes", execution.MaxSegmentBytes))
	}
	if req.GetInline() && written && p.Store == nil {
		return status.Error(codes.Unimplemented, "inline: "+p.Missing)
	}
	if req.GetInline() && written {
		return p.authorize(req)
	}
	return nil
}

// authorize refuses, before any step is run, a request whose last picture could
// not be read. Without a key of its own it is named after the execution.
func (p *Pipeline) authorize(req *imageflowv1.RunPipelineRequest) error {
	out := req.GetOutputImage()
	bucket := cmp.Or(out.GetBucket(), req.GetInputImage().GetBucket(), p.Bucket)
	if !p.ReadFrom.Contains(bucket, cmp.Or(out.GetObjectKey(), req.GetExecutionId())) {
		return outside("inline", bucket)
	}
	return nil
}

// read reads the picture that the last step wrote.
func (p *Pipeline) read(ctx context.Context, image *imageflowv1.ImageData) ([]byte, error) {
	if !p.ReadFrom.Contains(image.GetBucket(), image.GetObjectKey()) {
		return nil, outside("inline", image.GetBucket())
	}
	data, _, err := p.Store.Get(ctx, image.GetBucket(), image.GetObjectKey(), image.GetEtag(), p.MaxBytes)
	switch {
	case err == nil:
		return data, nil
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	case errors.Is(err, objects.ErrTooLarge):
		return nil, invalid("inline", fmt.Sprintf("the picture is larger than %d bytes", p.MaxBytes))
	case errors.Is(err, objects.ErrNotFound), errors.Is(err, objects.ErrChanged):
		return nil, unavailable("the last picture was replaced before it could be read")
	}
	slog.WarnContext(ctx, "the last picture of a pipeline could not be read", "bucket", image.GetBucket(), "key", image.GetObjectKey(), "error", err)
	return nil, unavailable("the object store does not answer")
}

// carryTrace passes on what a caller says of its trace.
func carryTrace(ctx context.Context) context.Context {
	for _, name := range traceHeaders {
		for _, value := range metadata.ValueFromIncomingContext(ctx, name) {
			ctx = metadata.AppendToOutgoingContext(ctx, name, value)
		}
	}
	return ctx
}

// request returns a copy of the request that a step carries, and the step's
// field that it lies in.
func request(step *imageflowv1.PipelineStep) (protoreflect.FieldDescriptor, protoreflect.Message) {
	m := step.ProtoReflect()
	field := m.WhichOneof(m.Descriptor().Oneofs().ByName("processor"))
	return field, proto.Clone(m.Get(field).Message().Interface()).ProtoReflect()
}

func set(m protoreflect.Message, field protoreflect.Name, value protoreflect.Value) {
	m.Set(m.Descriptor().Fields().ByName(field), value)
}
