// Package job takes one picture through one processor, start to finish.
package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/telemetry"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// ExecutionMetadata is the user metadata key that every object we write
// carries; its value is the execution id. Notifications of such objects start
// no chain.
const ExecutionMetadata = "imageflow-execution"

// ErrSuperseded is in the chain of the error of a job whose source was replaced
// before it was read.
var ErrSuperseded = errors.New("superseded by a newer version of the object")

// Config limits what a job takes.
type Config struct {
	// Bucket is meant where a request names none.
	Bucket string
	// MaxObjectBytes limits an encoded picture.
	MaxObjectBytes int64
	// Limits bound a decoded one.
	Limits imaging.Limits
}

// Runner runs the jobs of one processor, safe for concurrent use.
type Runner[Req functions.Request, Resp functions.Response] struct {
	processor functions.Processor[Req, Resp]
	store     *objects.Store
	admission *Admission
	config    Config
}

// NewRunner returns a runner. Runners that share an admission share its limits.
func NewRunner[Req functions.Request, Resp functions.Response](
	p functions.Processor[Req, Resp], store *objects.Store, admission *Admission, c Config,
) *Runner[Req, Resp] {
	return &Runner[Req, Resp]{processor: p, store: store, admission: admission, config: c}
}

// Run does one job: admit, fetch, decode, apply, store. Its errors are
// functions.Errors, or the context's. On an error nothing has been written, but
// for a side-car whose picture the store then refused.
func (r *Runner[Req, Resp]) Run(ctx context.Context, req Req, patience Patience) (resp Resp, err error) {
	watch := telemetry.StartJob(ctx, r.processor.Name)
	ctx = watch.Context()
	defer func() {
		if cause := recover(); cause != nil {
			err = panicked(ctx, r.processor.Name, cause)
		}
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
		watch.End(err)
	}()

	plan, err := r.check(req)
	if err != nil {
		return resp, err
	}
	leave, err := r.enter(ctx, watch, patience)
	if err != nil {
		return resp, err
	}
	defer leave()
	source, err := r.fetch(ctx, watch, req, &plan)
	if err != nil {
		return resp, err
	}
	out, resp, err := r.apply(ctx, watch, req, source, &plan)
	if err != nil {
		return resp, err
	}
	describe(resp.GetResult(), out, plan)
	if err := r.put(ctx, watch, out, resp, plan); err != nil {
		return resp, err
	}
	clock(resp.GetResult(), watch)
	return resp, nil
}

func (r *Runner[Req, Resp]) enter(ctx context.Context, watch *telemetry.Job, patience Patience) (leave func(), err error) {
	defer watch.Stage("queue")()
	return r.admission.enter(ctx, patience)
}

// check refuses what can be refused without looking at the picture.
func (r *Runner[Req, Resp]) check(req Req) (plan, error) {
	if err := protovalidate.Validate(req); err != nil {
		return plan{}, violation(err)
	}
	if r.processor.Check != nil {
		if err := r.processor.Check(req); err != nil {
			return plan{}, err
		}
	}
	var reference *imageflowv1.ImageData
	if r.processor.Reference != nil {
		reference = r.processor.Reference(req)
	}
	return newPlan(req, reference, r.processor.Suffix, r.config.Bucket)
}

// violation tells of one broken rule, by its field and in its words: the first
// that is about a field, since a rule about the whole request often only follows.
func violation(err error) error {
	var broken *protovalidate.ValidationError
	if !errors.As(err, &broken) || len(broken.Violations) == 0 {
		return err
	}
	named := slices.IndexFunc(broken.Violations, func(v *protovalidate.Violation) bool { return v.Proto.GetField() != nil })
	first := broken.Violations[max(named, 0)].Proto
	return functions.Errorf(functions.Invalid, protovalidate.FieldPathString(first.GetField()), "%s", first.GetMessage())
}

// source is what a job reads.
type source struct {
	picture   []byte
	reference []byte
}

// fetch reads the picture and the object that the processor refers to.
func (r *Runner[Req, Resp]) fetch(ctx context.Context, watch *telemetry.Job, req Req, plan *plan) (source, error) {
	defer watch.Stage("fetch")()
	limit := r.config.MaxObjectBytes
	s := source{picture: req.GetInputBytes()}
	if int64(len(s.picture)) > limit {
		return s, functions.Errorf(functions.Invalid, "input_bytes", "more than %d bytes", limit)
	}
	if from := plan.source; from.key != "" {
		data, info, err := r.store.Get(ctx, from.bucket, from.key, plan.etag, limit)
		if errors.Is(err, objects.ErrChanged) {
			err = errors.Join(ErrSuperseded, err)
		}
		if err != nil {
			return s, explain(err, "input_image", from, limit)
		}
		s.picture, plan.etag = data, info.ETag
	}
	if from := plan.reference; from.key != "" {
		etag := unquoted(r.processor.Reference(req).GetEtag())
		data, _, err := r.store.Get(ctx, from.bucket, from.key, etag, maxSideCarBytes)
		if err != nil {
			return s, explain(err, "resize_metadata_ref", from, maxSideCarBytes)
		}
		s.reference = data
	}
	return s, nil
}

// maxSideCarBytes is far above the side-car of a picture full of objects.
const maxSideCarBytes = 16 << 20

// apply checks the picture's header, waits until there is room to decode it and
// a core to do so, and lets the processor work.
func (r *Runner[Req, Resp]) apply(ctx context.Context, watch *telemetry.Job, req Req, s source, plan *plan) (
	out imaging.Encoded, resp Resp, err error,
) {
	picture, err := imaging.Open(s.picture, r.config.Limits)
	if err != nil {
		return out, resp, pictureError(err, plan)
	}
	if err := plan.settle(picture, r.processor.SideCar != nil); err != nil {
		return out, resp, err
	}
	queued := watch.Stage("queue")
	done, err := r.admission.compute(ctx, picture.DecodedBytes())
	queued()
	if err != nil {
		return out, resp, err
	}
	defer done()

	defer watch.Stage("apply")()
	out, resp, err = r.processor.Apply(ctx, functions.Input[Req]{
		Image: picture, Request: req, Format: plan.format, Reference: s.reference,
	})
	return out, resp, pictureError(err, plan)
}

// describe fills what is known of the output before it is stored.
func describe(result *imageflowv1.ProcessingResult, out imaging.Encoded, plan plan) {
	result.Status = imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED
	result.OutputImage = &imageflowv1.ImageData{
		ContentType: out.Format.MediaType(), SizeBytes: int64(len(out.Data)),
		Width: int32(out.Width), Height: int32(out.Height),
	}
	note(result, "execution_id", plan.execution)
	if plan.source.key != "" {
		note(result, "source_bucket", plan.source.bucket)
		note(result, "source_key", plan.source.key)
		note(result, "source_etag", plan.etag)
	}
	if plan.output.key == "" {
		result.OutputData = out.Data
		return
	}
	result.OutputImage.Bucket, result.OutputImage.ObjectKey = plan.output.bucket, plan.output.key
}

// put stores the side-car, then the picture: where the picture is, its side-car
// is too.
func (r *Runner[Req, Resp]) put(ctx context.Context, watch *telemetry.Job, out imaging.Encoded, resp Resp, plan plan) error {
	if plan.output.key == "" {
		return nil
	}
	defer watch.Stage("store")()
	metadata := map[string]string{
		ExecutionMetadata: plan.execution, "imageflow-step": r.processor.Name, "imageflow-source-etag": plan.etag,
	}
	result := resp.GetResult()
	if r.processor.SideCar != nil {
		note(result, "side_car", plan.sideCar.key)
		if err := r.putSideCar(ctx, r.processor.SideCar(resp), plan.sideCar, metadata); err != nil {
			return err
		}
	}
	info, err := r.store.Put(ctx, plan.output.bucket, plan.output.key, out.Format.MediaType(), out.Data, metadata)
	if err != nil {
		return explain(err, "output_image", plan.output, 0)
	}
	result.OutputImage.Etag = info.ETag
	result.OutputImage.CreatedAt = timestamppb.New(info.Modified)
	return nil
}

func (r *Runner[Req, Resp]) putSideCar(ctx context.Context, facts proto.Message, to place, metadata map[string]string) error {
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(facts)
	if err != nil {
		return err
	}
	_, err = r.store.Put(ctx, to.bucket, to.key, "application/json", text, metadata)
	return explain(err, "output_image", to, 0)
}

// clock writes the job's times into its result.
func clock(result *imageflowv1.ProcessingResult, watch *telemetry.Job) {
	for stage, took := range watch.Stages() {
		note(result, stage+"_ms", fmt.Sprintf("%.3f", float64(took)/float64(time.Millisecond)))
	}
	result.ProcessedAt = timestamppb.Now()
	result.ProcessingTimeSeconds = watch.Elapsed().Seconds()
}

func note(result *imageflowv1.ProcessingResult, key, value string) {
	if result.Metadata == nil {
		result.Metadata = map[string]string{}
	}
	result.Metadata[key] = value
}
