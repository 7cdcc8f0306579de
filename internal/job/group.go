package job

import (
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
