package job

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"strconv"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/functions"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// put stores the image and its side-car, both at once, unless the source is gone. An
// image without a place goes into the response.
func (t *task) put(ctx context.Context, out imaging.Encoded, resp functions.Response) error {
	image := &imageflowv1.ImageData{
		ContentType: out.Format.MediaType(), SizeBytes: int64(len(out.Data)), Width: int32(out.Width), Height: int32(out.Height),
	}
	t.describe(resp.GetResult(), image)
	if t.output.key == "" {
		resp.GetResult().OutputData = out.Data
		return nil
	}
	defer t.watch.Stage("store")()
	if err := t.sourceExists(ctx); err != nil {
		return err
	}
	written, err := t.writeBoth(ctx, out, resp)
	if err != nil {
		return err
	}
	if gone := t.sourceExists(ctx); gone != nil {
		return t.withdraw(ctx, gone, written.output, written.sideCar)
	}
	image.Etag, image.CreatedAt = written.output.ETag, timestamppb.New(written.output.Modified)
	return nil
}

// writeBoth writes the image and its side-car.
func (t *task) writeBoth(ctx context.Context, out imaging.Encoded, resp functions.Response) (w written, err error) {
	told, err := facts(resp)
	if err != nil {
		return w, err
	}
	var both errgroup.Group
	if t.sideCar.key != "" {
		text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(t.processor.SideCar(resp))
		if err != nil {
			return w, err
		}
		both.Go(func() (err error) {
			w.sideCar, err = t.write(ctx, t.sideCar, "application/json", text, nil, t.found.sideCar)
			return err
		})
	}
	both.Go(func() (err error) {
		w.output, err = t.write(ctx, t.output, out.Format.MediaType(), out.Data, map[string]string{
			execution.WidthMetadata: strconv.Itoa(out.Width), execution.HeightMetadata: strconv.Itoa(out.Height),
			execution.FactsMetadata:   told,
			execution.SecondsMetadata: strconv.FormatFloat(t.watch.Elapsed().Seconds(), 'f', 3, 64),
		}, t.found.output)
		return err
	})
	return w, both.Wait()
}

// writeTries is how often an output may be overwritten by others while a job
// tries to write it.
const writeTries = 10

// write writes an object, with the job's marks and more metadata, over what was
// found in its place and over nothing else: so no object is replaced that is not
// ours, and a job of an older version, however slow, never overwrites what one of
// a newer version wrote. An equal job that was quicker has written what this one
// would have. It returns what is there in the end.
func (t *task) write(
	ctx context.Context, at location, contentType string, data []byte, more map[string]string, over objects.Info,
) (objects.Info, error) {
	metadata := execution.Mark(t.execution, at.bucket, at.key)
	maps.Copy(metadata, t.marks)
	maps.Copy(metadata, more)
	for range writeTries {
		info, err := t.store.PutOver(ctx, over.ETag, at.bucket, at.key, contentType, data, metadata)
		if !errors.Is(err, objects.ErrChanged) {
			return info, explain(err, "output_image", at, "")
		}
		if over, err = t.stat(ctx, at); err != nil || alike(over, t.marks) {
			return over, err
		}
		if err := cmp.Or(t.protect(over), t.current(ctx)); err != nil {
			return over, err
		}
	}
	return over, functions.Errorf(functions.Unavailable, "", "the output is overwritten by others without end")
}
