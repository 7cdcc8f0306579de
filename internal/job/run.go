package job

import (
	"context"
	"errors"
	"fmt"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/telemetry"
)

// run runs an admitted job: it fetches the input, reads the image's header, and looks up
// the outputs. What an equal job has written is answered from there. Run computes and
// stores the rest.
func (r *Runner) run(
	ctx context.Context, record *telemetry.Job, p plan,
) (resp functions.Response, cacheHit bool, err error) {
	all := prefetchAll(ctx, r.store, p)
	in, err := r.fetch(ctx, record, p)
	if err != nil {
		return nil, false, err
	}
	if err := r.resolveAll(ctx, all, in); err != nil {
		return nil, false, err
	}
	unlock, waited, err := r.lock(ctx, record, all)
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	if err := r.lookup(ctx, record, all, waited); err != nil {
		return nil, false, err
	}
	missing := all.withoutResponse()
	if len(missing) > 0 {
		if err := r.produce(ctx, record, missing); err != nil {
			return nil, false, err
		}
	}
	return all.response(r.processor, record), len(missing) == 0, nil
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

// open reads the header of the image.
func (r *Runner) open(p *plan, in input) (*imaging.Image, error) {
	image, err := imaging.Open(in.image, r.config.Limits)
	return image, p.imageError(err)
}

// resolve decides by the image's header what the request left open.
func (r *Runner) resolve(p plan, in input, image *imaging.Image) (*resolvedPlan, error) {
	image = image.EncodedBy(encodingOf(p.request))
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

// produce computes outputs and stores them over the existing objects. The only output
// without a location becomes part of the response.
func (r *Runner) produce(ctx context.Context, record *telemetry.Job, missing group) error {
	grant, err := r.apply(ctx, record, missing)
	defer grant.release()
	if err != nil {
		return err
	}
	for _, one := range missing {
		one.describe()
		record.CountOutput(ctx, string(one.encoded.Path))
	}
	if main := missing[0]; !main.stored() {
		main.resp.GetResult().OutputData = main.encoded.Data
		return checkReturned(main.encoded, main.resp, r.config.MaxObjectBytes)
	}
	ctx, end := record.Stage(ctx, "store")
	defer end()
	return missing.save(ctx, record.Elapsed)
}

// apply waits for memory to decode the image and for a core, and calls the processor for
// each output. The grant holds the memory of the outputs until it is released.
func (r *Runner) apply(ctx context.Context, record *telemetry.Job, missing group) (g *grant, err error) {
	share := missing.share(r.processor)
	bytes, err := r.footprint(missing, share)
	if err != nil {
		return nil, err
	}
	if g, err = r.compute(ctx, record, missing[0].plan.class, bytes); err != nil {
		return nil, err
	}
	defer func() { g.keep(missing.encodedBytes()) }()
	ctx, end := record.Stage(ctx, "apply")
	defer end()
	for _, one := range missing {
		in := one.plan.processorInput()
		in.Watch = record.Stage
		if share != nil {
			in.Image = in.Image.With(share)
		}
		one.encoded, one.resp, err = r.processor.Apply(ctx, one.plan.request, in)
		if err != nil {
			return g, one.plan.atField(one.plan.imageError(err))
		}
	}
	return g, nil
}

// compute waits for memory of the given bytes and a core.
func (r *Runner) compute(ctx context.Context, record *telemetry.Job, c class, bytes int64) (*grant, error) {
	ctx, end := record.Stage(ctx, "queue")
	defer end()
	return r.admission.compute(ctx, c, bytes)
}

// footprint returns the memory in bytes that the processor needs for all outputs, which share a decoding unless
// share is nil. It returns an error if that exceeds the budget.
func (r *Runner) footprint(all group, share *imaging.Share) (total int64, err error) {
	for _, one := range all {
		bytes, err := r.footprintOf(one.plan)
		if err != nil {
			return 0, one.plan.atField(err)
		}
		total += bytes
	}
	if share != nil {
		total += share.Footprint(all[0].plan.image.Header)
	}
	if !r.admission.fits(total) {
		return 0, functions.Errorf(functions.Invalid, r.processor.Renditions.Field,
			"%d outputs need %d MiB of memory together, but the budget is %d MiB (MAX_DECODED_BYTES): make some by requests of "+
				"their own", len(all), mebibytes(total), r.admission.limits.DecodedBytes>>20)
	}
	return total, nil
}

// footprintOf returns the memory in bytes that the processor needs for one output.
func (r *Runner) footprintOf(p *resolvedPlan) (int64, error) {
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
		p.image.Format, output, mebibytes(bytes), r.admission.limits.DecodedBytes>>20)
}

// mebibytes rounds up.
func mebibytes(n int64) int64 { return (n + 1<<20 - 1) >> 20 }
