package job

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/functions"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/telemetry"
)

// run runs an admitted job: it fetches the input, reads the image's header, and looks up
// the outputs. If an equal job has written them, the response is made from them.
// Otherwise run computes and stores them.
func (r *Runner) run(
	ctx context.Context, record *telemetry.Job, p plan,
) (resp functions.Response, cacheHit bool, err error) {
	prefetched := prefetchOutputs(ctx, r.store, p)
	in, err := r.fetch(ctx, record, p)
	if err != nil {
		return nil, false, err
	}
	resolved, err := r.resolve(p, in)
	if err != nil {
		return nil, false, err
	}
	out, err := r.newOutputs(ctx, resolved)
	if err != nil {
		return nil, false, err
	}
	unlock, waited, err := r.lock(ctx, record, out)
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	if waited {
		prefetched = nil // an equal job may have written the outputs in the meantime
	}
	existing, err := r.lookup(ctx, record, out, prefetched)
	if err != nil {
		return nil, false, err
	}
	if resp, cacheHit = out.cachedResponse(ctx, existing); !cacheHit {
		if resp, err = r.produce(ctx, record, out, existing); err != nil {
			return nil, false, err
		}
	}
	setTimes(resp.GetResult(), record)
	return resp, cacheHit, nil
}

// input is what a job fetched.
type input struct {
	image     []byte       // encoded
	source    objects.Info // empty for input_bytes
	reference []byte       // the content of plan.reference
	// referenceInfo describes plan.reference.
	referenceInfo objects.Info
}

// fetch reads the source and the reference.
func (r *Runner) fetch(ctx context.Context, record *telemetry.Job, p plan) (in input, err error) {
	ctx, end := record.Stage(ctx, "fetch")
	defer end()
	in.image, in.source, err = r.read(ctx, p.request.GetInputBytes(), p.source, p.sourceETag, "input_image")
	if err != nil {
		return in, err
	}
	if at := p.reference; at.key != "" {
		in.reference, in.referenceInfo, err = r.store.Get(ctx, at.bucket, at.key, p.referenceETag, maxReferenceBytes)
		if err != nil {
			return in, explain(err, p.referenceField, at, fmt.Sprintf("%d bytes", maxReferenceBytes))
		}
		return in, p.checkDescribed(r.processor, in)
	}
	return in, nil
}

// read returns the encoded image of a request and describes its object. The image is inline, or the object at a
// location, in the given version or, without one, in any. Field is the request field of the location.
func (r *Runner) read(
	ctx context.Context, inline []byte, at location, etag, field string,
) (data []byte, info objects.Info, err error) {
	limit := r.config.MaxObjectBytes
	if int64(len(inline)) > limit {
		return nil, info, functions.Errorf(functions.Invalid, "input_bytes", "more than MAX_OBJECT_BYTES=%d", limit)
	}
	if at.key == "" {
		return inline, info, nil
	}
	data, info, err = r.store.Get(ctx, at.bucket, at.key, etag, limit)
	if errors.Is(err, objects.ErrChanged) {
		err = errors.Join(ErrSuperseded, err)
	}
	return data, info, explain(err, field, at, fmt.Sprintf("MAX_OBJECT_BYTES=%d", limit))
}

// The maximum sizes of a side-car and of a reference, which is a side-car or a watermark.
// They are far above the size of a side-car with many detected objects.
const (
	maxSideCarBytes   = 16 << 20
	maxReferenceBytes = maxSideCarBytes
)

// resolve reads the image's header, which decides what the request left open.
func (r *Runner) resolve(p plan, in input) (*resolvedPlan, error) {
	image, err := imaging.Open(in.image, r.config.Limits)
	if err != nil {
		return nil, p.imageError(err)
	}
	image.Encoding = encodingOf(p.request)
	hasFrames := image.AnimationFrames() > 1
	moves := p.moves && (!hasFrames || r.processor.Moves(p.request, in.reference))
	format, targets, err := p.resolve(image.Format, moves && hasFrames)
	if err != nil {
		return nil, err
	}
	image, err = image.Select(p.frames, moves && (p.readsAll || image.CanMove(format)))
	return &resolvedPlan{p, in, image, format, targets, &functions.Memo{}}, p.imageError(err)
}

// newOutputs returns the outputs of the job, identified by its idempotency key if they
// are stored.
func (r *Runner) newOutputs(ctx context.Context, p *resolvedPlan) (*outputs, error) {
	identity := ""
	if r.processor.Identity != nil {
		var err error
		if identity, err = r.processor.Identity(ctx, p.request); err != nil {
			return nil, err
		}
	}
	out := &outputs{store: r.store, processor: r.processor, plan: p}
	if !out.stored() {
		return out, nil
	}
	var err error
	out.key, err = newIdempotencyKey(r.processor, p, identity)
	return out, err
}

// lock waits until no equal job runs, also if their requests name no version of the
// source. If it waited, the outputs may have been written in the meantime. A job
// without an output object needs no lock.
func (r *Runner) lock(
	ctx context.Context, record *telemetry.Job, out *outputs,
) (unlock func(), waited bool, err error) {
	if !out.stored() {
		return func() {}, false, nil
	}
	ctx, end := record.Stage(ctx, "queue")
	defer end()
	return r.locks.lock(ctx, jobID{out.plan.targets.output, out.key})
}

// lookup returns the existing objects at the locations of the outputs.
func (r *Runner) lookup(
	ctx context.Context, record *telemetry.Job, out *outputs, prefetched <-chan outputStats,
) (written, error) {
	if !out.stored() {
		return written{}, nil
	}
	ctx, end := record.Stage(ctx, "fetch")
	defer end()
	return out.lookup(ctx, prefetched)
}

// produce computes the output and stores it over the existing objects. An output
// without a location becomes part of the response.
func (r *Runner) produce(
	ctx context.Context, record *telemetry.Job, out *outputs, existing written,
) (functions.Response, error) {
	encoded, resp, grant, err := r.apply(ctx, record, out.plan)
	defer grant.release()
	if err != nil {
		return nil, err
	}
	image := describeEncoded(encoded)
	out.plan.describe(resp.GetResult(), image, encoded.Frames)
	events.PixelPath.Set(resp.GetResult(), string(encoded.Path))
	describeFit(resp.GetResult(), fitQuality(encoded), image.GetSizeBytes())
	out.plan.describeEncodes(resp.GetResult(), encoded)
	record.CountOutput(ctx, string(encoded.Path))
	if !out.stored() {
		resp.GetResult().OutputData = encoded.Data
		return resp, checkReturned(encoded, resp, r.config.MaxObjectBytes)
	}
	ctx, end := record.Stage(ctx, "store")
	defer end()
	stored, err := out.save(ctx, existing, encoded, resp, record.Elapsed)
	if err != nil {
		return nil, err
	}
	image.Etag, image.CreatedAt = stored.ETag, timestamppb.New(stored.Modified)
	return resp, nil
}

// apply waits for memory to decode the image and for a core, and calls the processor.
// The grant holds the memory of the output until it is released.
func (r *Runner) apply(
	ctx context.Context, record *telemetry.Job, p *resolvedPlan,
) (out imaging.Encoded, resp functions.Response, g *grant, err error) {
	bytes, err := r.footprint(p)
	if err != nil {
		return out, nil, nil, err
	}
	if g, err = r.compute(ctx, record, p.class, bytes); err != nil {
		return out, nil, nil, err
	}
	defer func() { g.keep(len(out.Data) + cropBytes(resp)) }()
	ctx, end := record.Stage(ctx, "apply")
	defer end()
	in := p.processorInput()
	in.Watch = record.Stage
	out, resp, err = r.processor.Apply(ctx, p.request, in)
	return out, resp, g, p.imageError(err)
}

// compute waits for memory of the given bytes and a core.
func (r *Runner) compute(ctx context.Context, record *telemetry.Job, c class, bytes int64) (*grant, error) {
	ctx, end := record.Stage(ctx, "queue")
	defer end()
	return r.admission.compute(ctx, c, bytes)
}

// footprint returns the memory in bytes that the processor needs. It returns an error if
// that exceeds the budget.
func (r *Runner) footprint(p *resolvedPlan) (int64, error) {
	bytes := p.image.Footprint(p.format)
	if r.processor.Footprint != nil {
		bytes = r.processor.Footprint(p.request, p.processorInput())
	}
	if r.admission.fits(bytes) {
		return bytes, nil
	}
	field, output := p.imageField(), string(p.format)
	if r.processor.Output != nil {
		if larger, size := r.processor.Output(p.request, p.processorInput()); larger != "" {
			field, output = larger, fmt.Sprintf("%d×%d of %s", size.X, size.Y, p.format)
		}
	}
	width, height := p.image.Size()
	return 0, functions.Errorf(functions.Invalid, field,
		"%d×%d pixels of %s to %s need %d MiB of memory, but the budget is %d MiB (MAX_DECODED_BYTES)", width, height,
		p.image.Format, output, (bytes+1<<20-1)>>20, r.admission.limits.DecodedBytes>>20)
}
