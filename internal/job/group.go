package job

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/functions"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/telemetry"
)

// group are the outputs of a job: the main one, and then the others of its request. A job that makes only some of them
// has a group of these, in the same order.
type group []*member

// member is one output of a job.
type member struct {
	*outputs
	prefetched <-chan outputStats // nil if nothing was prefetched
	existing   written
	encoded    imaging.Encoded
	resp       functions.Response // nil until it is known
}

// prefetchAll starts the prefetch for each output of a plan.
func prefetchAll(ctx context.Context, store *objects.Store, p plan) (all group) {
	for _, one := range p.all() {
		all = append(all, &member{
			outputs: &outputs{plan: &resolvedPlan{plan: one}}, prefetched: prefetchOutputs(ctx, store, one),
		})
	}
	return all
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

// withoutResponse returns the outputs that no equal job has written.
func (all group) withoutResponse() (missing group) {
	for _, one := range all {
		if one.resp == nil {
			missing = append(missing, one)
		}
	}
	return missing
}

// response returns the response of the job, when all outputs have theirs.
func (all group) response(processor functions.Processor, record *telemetry.Job) functions.Response {
	var others []functions.Response
	for _, one := range all {
		setTimes(one.resp.GetResult(), record)
		others = append(others, one.resp)
	}
	if len(others) > 1 {
		processor.Renditions.Join(others[0], others[1:])
	}
	return others[0]
}

// share returns what lets the outputs share the decoding of the image; nil if there is one output.
func (all group) share(processor functions.Processor) *imaging.Share {
	if len(all) < 2 {
		return nil
	}
	var requests []functions.Request
	var inputs []functions.Input
	for _, one := range all {
		requests, inputs = append(requests, one.plan.request), append(inputs, one.plan.processorInput())
	}
	return processor.Renditions.Share(requests, inputs)
}

// encodedBytes returns the size of what the processor returned.
func (all group) encodedBytes() (n int) {
	for _, one := range all {
		n += len(one.encoded.Data)
		if one.resp != nil {
			n += cropBytes(one.resp)
		}
	}
	return n
}

// describe fills the result of an output that was made.
func (one *member) describe() {
	result, image := one.resp.GetResult(), describeEncoded(one.encoded)
	one.plan.describe(result, image, one.encoded.Frames)
	events.PixelPath.Set(result, string(one.encoded.Path))
	describeFit(result, fitQuality(one.encoded), image.GetSizeBytes())
	one.plan.describeEncodes(result, one.encoded)
}

// save writes the outputs over the existing objects, the main one last. If the source has been
// deleted, it removes them again: only a check after the writes misses no deletion.
// Elapsed returns the duration of the job so far.
func (all group) save(ctx context.Context, elapsed func() time.Duration) error {
	made := make([]written, len(all))
	for i, one := range slices.Backward(all) {
		var err error
		if made[i], err = one.writeAll(ctx, one.existing, one.encoded, one.resp, elapsed); err != nil {
			return err
		}
		image := one.resp.GetResult().GetOutputImage()
		image.Etag, image.CreatedAt = made[i].output.ETag, timestamppb.New(made[i].output.Modified)
	}
	deleted := all[0].source().checkExists(ctx)
	if deleted == nil {
		return nil
	}
	for i, one := range all {
		one.remove(context.WithoutCancel(ctx), made[i])
	}
	return all[0].withdrawn(ctx, deleted)
}
