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
	"imageflow.dev/internal/presets"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Pipeline runs several steps on an image, as a client of the processors.
type Pipeline struct {
	imageflowv1.UnimplementedPipelineServiceServer
	// Processors are the connections to all processors.
	Processors Processors
	// Presets are the presets and pipelines that requests may name. Nil has none.
	Presets *presets.Set
	// Store is read if an image is written to the store but wanted inline. If Store is
	// nil, such requests fail with Missing as their message.
	Store   *objects.Store
	Missing string
	// Bucket is the default bucket.
	Bucket string
	// ReadFrom is the allow-list of the images that are read from Store.
	ReadFrom objects.AllowList
	// MaxBytes bounds the size of such an image.
	MaxBytes int64
	// Timeout bounds the time of all steps together.
	Timeout time.Duration
}

// Backend returns the service for New. It needs no connection.
func (p *Pipeline) Backend() Backend {
	return Backend{Register: func(ctx context.Context, mux *runtime.ServeMux, _ *grpc.ClientConn) error {
		return imageflowv1.RegisterPipelineServiceHandlerServer(ctx, mux, p)
	}}
}

// RunPipeline runs the steps of a request in order. It sets the execution id of the
// request if it is empty.
func (p *Pipeline) RunPipeline(
	ctx context.Context, req *imageflowv1.RunPipelineRequest,
) (*imageflowv1.RunPipelineResponse, error) {
	return p.execute(ctx, req, "")
}

// execute is RunPipeline for an input that has a variant, which the steps inherit; empty if it has none.
func (p *Pipeline) execute(
	ctx context.Context, req *imageflowv1.RunPipelineRequest, variant string,
) (*imageflowv1.RunPipelineResponse, error) {
	start := time.Now()
	req.ExecutionId = cmp.Or(req.GetExecutionId(), execution.ID(req.GetInputImage().GetObjectKey()), uuid.NewString())
	if err := p.check(req, variant); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(propagateTrace(ctx), p.Timeout)
	defer cancel()
	run := &run{
		Pipeline: p, req: req, input: location{req.GetInputImage(), req.GetInputBytes()}, variant: variant, count: map[string]int{},
	}
	resp := &imageflowv1.RunPipelineResponse{ExecutionId: req.GetExecutionId()}
	for i := range req.GetSteps() {
		answer, err := run.step(ctx, i)
		if err != nil {
			return nil, err
		}
		resp.Steps = append(resp.Steps, answer)
	}
	resp.OutputImage, resp.OutputData = run.input.image, run.input.data
	if req.GetInline() && resp.OutputData == nil {
		var err error
		if resp.OutputData, err = p.read(ctx, resp.GetOutputImage()); err != nil {
			return nil, err
		}
	}
	resp.ProcessingTimeSeconds = time.Since(start).Seconds()
	metrics.PipelineDuration.Record(ctx, resp.GetProcessingTimeSeconds(),
		metric.WithAttributes(attribute.String("protocol", "call")))
	return resp, nil
}

// ListPresets returns the presets and pipelines.
func (p *Pipeline) ListPresets(
	context.Context, *imageflowv1.ListPresetsRequest,
) (*imageflowv1.ListPresetsResponse, error) {
	return p.Presets.List(), nil
}

// expand sets the steps of the pipeline that the request names, expands their presets, and checks which detections
// they take. The gateway
// does this, although the processors could expand the presets of steps, so that all steps are checked before
// the first one runs.
func (p *Pipeline) expand(req *imageflowv1.RunPipelineRequest) (err error) {
	if name := req.GetPipeline(); name != "" {
		if req.Steps, err = p.Presets.Pipeline(name); err != nil {
			return invalid("pipeline", err.Error())
		}
		return nil
	}
	if req.Steps, err = p.Presets.ExpandSteps(req.GetSteps()); err == nil {
		err = presets.CheckDetections(req.GetSteps())
	}
	return badStep(err)
}

// badStep returns the error of the contract for one of a step.
func badStep(err error) error {
	var bad *presets.StepError
	if errors.As(err, &bad) {
		return invalid(bad.Field, bad.Reason)
	}
	return err
}

// check validates the request and all its steps, and expands the presets, before the first step runs.
func (p *Pipeline) check(req *imageflowv1.RunPipelineRequest, variant string) error {
	if err := protovalidate.Validate(req); err != nil {
		return violation("", err)
	}
	if err := p.expand(req); err != nil {
		return err
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
	if written {
		if err := checkNames(req, variant); err != nil {
			return err
		}
	}
	if req.GetInline() && written && p.Store == nil {
		return status.Error(codes.Unimplemented, "inline: "+p.Missing)
	}
	if req.GetInline() && written {
		return p.authorize(req)
	}
	return nil
}

// checkNames returns an error if a step writes a key that is too long, or the key of an earlier step.
func checkNames(req *imageflowv1.RunPipelineRequest, variant string) error {
	last := len(req.GetSteps()) - 1
	err := presets.CheckOutputs(req.GetSteps(), variant, func(step int) bool {
		isNamed := step == last && req.GetOutputImage().GetObjectKey() != ""
		return !isNamed && req.GetInputImage().GetObjectKey() != ""
	})
	if err != nil {
		return badStep(err)
	}
	for _, step := range req.GetSteps() {
		_, call := request(step)
		variant = cmp.Or(presets.VariantOf(call), variant)
		if !execution.NamesFit(req.GetExecutionId(), variant) {
			return invalid("execution_id", fmt.Sprintf(
				"makes an output's key with more than %d bytes between two slashes", execution.MaxSegmentBytes))
		}
	}
	return nil
}

// authorize returns an error if READ_FROM does not contain the last image. The default
// key of that image begins with the execution id.
func (p *Pipeline) authorize(req *imageflowv1.RunPipelineRequest) error {
	out := req.GetOutputImage()
	bucket := cmp.Or(out.GetBucket(), req.GetInputImage().GetBucket(), p.Bucket)
	if !p.ReadFrom.Contains(bucket, cmp.Or(out.GetObjectKey(), req.GetExecutionId())) {
		return outside("inline", bucket)
	}
	return nil
}

// read reads the image that the last step wrote.
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
		return nil, invalid("inline", fmt.Sprintf("the image is larger than %d bytes", p.MaxBytes))
	case errors.Is(err, objects.ErrNotFound), errors.Is(err, objects.ErrChanged):
		return nil, unavailable("the last image was replaced before it could be read")
	}
	slog.WarnContext(ctx, "pipeline output not readable", "bucket", image.GetBucket(), "key", image.GetObjectKey(), "error", err)
	return nil, unavailable("the object store does not answer")
}

// propagateTrace copies the trace headers of the caller to outgoing calls.
func propagateTrace(ctx context.Context) context.Context {
	for _, name := range traceHeaders {
		for _, value := range metadata.ValueFromIncomingContext(ctx, name) {
			ctx = metadata.AppendToOutgoingContext(ctx, name, value)
		}
	}
	return ctx
}

// request returns a copy of the request of a step, and the field of the step that
// holds it.
func request(step *imageflowv1.PipelineStep) (protoreflect.FieldDescriptor, protoreflect.Message) {
	m := step.ProtoReflect()
	field := m.WhichOneof(m.Descriptor().Oneofs().ByName("processor"))
	return field, proto.Clone(m.Get(field).Message().Interface()).ProtoReflect()
}

func set(m protoreflect.Message, field protoreflect.Name, value protoreflect.Value) {
	m.Set(m.Descriptor().Fields().ByName(field), value)
}
