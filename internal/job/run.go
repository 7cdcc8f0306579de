package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

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

// errTooLarge marks the error of a request whose own bytes are over the limit.
var errTooLarge = errors.New("the request is too large")

// read returns the encoded image of a request and describes its object. The image is inline, or the object at a
// location, in the given version or, without one, in any. Field is the request field of the location.
func (r *Runner) read(
	ctx context.Context, inline []byte, at location, etag, field string,
) (data []byte, info objects.Info, err error) {
	limit := r.config.MaxObjectBytes
	if int64(len(inline)) > limit {
		return nil, info, errors.Join(errTooLarge,
			functions.Errorf(functions.Invalid, "input_bytes", "more than MAX_OBJECT_BYTES=%d", limit))
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

// resolveAll reads the image's header, which decides what the request left open, and
// identifies the outputs.
func (r *Runner) resolveAll(ctx context.Context, all group, in input) error {
	image, err := r.open(&all[0].plan.plan, in)
	if err != nil {
		return err
	}
	taken := map[location]bool{}
	for _, one := range all {
		p := one.plan.plan
		own := in
		if p.reference.key == "" {
			own.reference, own.referenceInfo = nil, objects.Info{}
		}
		resolved, err := r.resolve(p, own, image)
		if err != nil {
			return p.atField(err)
		}
		if t := resolved.targets; taken[t.output] || t.sideCar.key != "" && taken[t.sideCar] {
			return functions.Errorf(functions.Invalid, p.field, "its key %.64q is the key of another output", t.output.key)
		}
		taken[resolved.targets.output], taken[resolved.targets.sideCar] = true, true
		if one.outputs, err = r.newOutputs(ctx, resolved); err != nil {
			return err
		}
	}
	return nil
}

// lock waits until no equal job of any output runs, also if their requests name no version of the
// source. If it waited, the outputs may have been written in the meantime. A job
// without an output object needs no lock. Jobs lock their outputs in the order of the keys, so that
// they cannot wait for each other.
func (r *Runner) lock(
	ctx context.Context, record *telemetry.Job, all group,
) (unlock func(), waited bool, err error) {
	if !all[0].stored() {
		return func() {}, false, nil
	}
	ctx, end := record.Stage(ctx, "queue")
	defer end()
	var unlocks []func()
	unlock = func() {
		for _, f := range unlocks {
			f()
		}
	}
	byKey := slices.SortedFunc(slices.Values(all), func(a, b *member) int {
		return cmp.Or(cmp.Compare(a.plan.targets.output.bucket, b.plan.targets.output.bucket),
			cmp.Compare(a.plan.targets.output.key, b.plan.targets.output.key))
	})
	for _, one := range byKey {
		free, had, err := r.locks.lock(ctx, jobID{one.plan.targets.output, one.key})
		if err != nil {
			unlock()
			return nil, false, err
		}
		unlocks, waited = append(unlocks, free), waited || had
	}
	return unlock, waited, nil
}

// lookup finds the existing objects at the locations of the outputs, and the responses of equal jobs that wrote
// them. It does not use what was prefetched if it is stale.
func (r *Runner) lookup(ctx context.Context, record *telemetry.Job, all group, stale bool) error {
	if !all[0].stored() {
		return nil
	}
	ctx, end := record.Stage(ctx, "fetch")
	defer end()
	for _, one := range all {
		if stale {
			one.prefetched = nil // an equal job may have written the outputs in the meantime
		}
		var err error
		if one.existing, err = one.outputs.lookup(ctx, one.prefetched); err != nil {
			return err
		}
		if resp, ok := one.cachedResponse(ctx, one.existing); ok {
			one.resp = resp
		}
	}
	return nil
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
	bytes, err := missing.footprint(r.processor, r.admission, share)
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
