package job

import (
	"context"
	"errors"
	"fmt"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
)

func (t *task) enter(ctx context.Context, policy OverloadPolicy) (leave func(error), err error) {
	defer t.watch.Stage("queue")()
	return t.admission.enter(ctx, policy)
}

// fetch reads the picture and the object that the processor refers to.
func (t *task) fetch(ctx context.Context) error {
	defer t.watch.Stage("fetch")()
	limit := t.config.MaxObjectBytes
	if t.encoded = t.req.GetInputBytes(); int64(len(t.encoded)) > limit {
		return functions.Errorf(functions.Invalid, "input_bytes", "more than MAX_OBJECT_BYTES=%d", limit)
	}
	if from := t.source; from.key != "" {
		data, info, err := t.store.Get(ctx, from.bucket, from.key, t.etag, limit)
		if errors.Is(err, objects.ErrChanged) {
			err = errors.Join(ErrSuperseded, err)
		}
		if err != nil {
			return explain(err, "input_image", from, fmt.Sprintf("MAX_OBJECT_BYTES=%d", limit))
		}
		t.encoded, t.etag = data, info.ETag
	}
	if from := t.reference; from.key != "" {
		etag := unquoted(t.processor.Reference(t.req).GetEtag())
		data, _, err := t.store.Get(ctx, from.bucket, from.key, etag, maxSideCarBytes)
		if err != nil {
			return explain(err, "resize_metadata_ref", from, fmt.Sprintf("%d bytes", maxSideCarBytes))
		}
		t.referred = data
	}
	return nil
}

// maxSideCarBytes is far above the side-car of a picture full of objects.
const maxSideCarBytes = 16 << 20

// open checks the picture's header, from which the last of the plan follows.
func (t *task) open() (err error) {
	if t.picture, err = imaging.Open(t.encoded, t.config.Limits); err != nil {
		return t.pictureError(err)
	}
	t.animated, t.repaired = t.picture.Animated, t.picture.Repaired
	return t.settle(t.picture.Format, t.processor.SideCar != nil)
}

// footprint returns the memory that the processor takes, and refuses what is beyond
// the budget.
func (t *task) footprint() (int64, error) {
	n := t.picture.Footprint(t.format)
	if t.processor.Footprint != nil {
		n = t.processor.Footprint(t.req, t.picture.Header, t.format)
	}
	if t.admission.fits(n) {
		return n, nil
	}
	width, height := t.picture.Size()
	return 0, functions.Errorf(functions.Invalid, t.imageField(),
		"%d×%d pixels of %s to %s need %d MiB of memory, but the budget is %d MiB (MAX_DECODED_BYTES)", width, height,
		t.picture.Format, t.format, (n+1<<20-1)>>20, t.admission.limits.DecodedBytes>>20)
}

// apply waits until there is memory to decode the image and a core to do so, and lets
// the processor work. What the output takes stays granted.
func (t *task) apply(ctx context.Context) (out imaging.Encoded, resp functions.Response, err error) {
	n, err := t.footprint()
	if err != nil {
		return out, resp, err
	}
	queued := t.watch.Stage("queue")
	t.grant, err = t.admission.compute(ctx, n)
	queued()
	if err != nil {
		return out, resp, err
	}
	defer func() { t.grant.keep(len(out.Data)) }()

	ctx, applied := t.watch.Within(ctx, "apply")
	defer applied()
	out, resp, err = t.processor.Apply(ctx, t.req, functions.Input{
		Image: t.picture, Format: t.format, Reference: t.referred, Watch: t.watch.Within,
	})
	return out, resp, t.pictureError(err)
}
