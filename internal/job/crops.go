package job

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"imageflow.dev/functions"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// maxCrops is the contract's limit of the crops of a response.
const maxCrops = 100

// cropsAtOnce is the number of crops of a job that are written or looked up at the same time.
const cropsAtOnce = 8

// wantsCrops reports whether the response of a request may have crops.
func wantsCrops(req functions.Request) bool {
	r, ok := req.(interface {
		GetCrops() *imageflowv1.DetectionCrops
	})
	return ok && r.GetCrops() != nil
}

// cropsOf returns the crops of a response.
func cropsOf(resp functions.Response) []*imageflowv1.DetectionCrop {
	r, ok := resp.(interface {
		GetCrops() []*imageflowv1.DetectionCrop
	})
	if !ok {
		return nil
	}
	return r.GetCrops()
}

// cropPrefix returns how the keys of the crops beside an output begin.
func cropPrefix(output location) string {
	return strings.TrimSuffix(output.key, path.Ext(output.key)) + "-crop-"
}

// crops returns where the crops are written, without their numbers.
func (p *plan) crops() location {
	if !wantsCrops(p.request) || p.output.key == "" {
		return location{}
	}
	return location{p.output.bucket, cropPrefix(p.output)}
}

// checkCrops rejects an output beside which crops cannot be written.
func (p *plan) checkCrops(output location) error {
	if !wantsCrops(p.request) {
		return nil
	}
	prefix := cropPrefix(output)
	longest := prefix + strconv.Itoa(maxCrops) + ".webp"
	if len(longest) > maxKeyBytes || !execution.SegmentsFit(longest) {
		return functions.Errorf(functions.Invalid, p.nameField(),
			"makes a crop's key longer than %d bytes, or %d between two slashes", maxKeyBytes, execution.MaxSegmentBytes)
	}
	for _, at := range []location{p.source, p.reference} {
		if at.bucket == output.bucket && strings.HasPrefix(at.key, prefix) {
			return functions.Errorf(functions.Invalid, p.nameField(), "a crop could replace the input %.64q", at.key)
		}
	}
	return nil
}

// checkReturned rejects an output that is larger than a response may be together with its crops.
func checkReturned(out imaging.Encoded, resp functions.Response, limit int64) error {
	total := len(out.Data) + cropBytes(resp)
	if len(cropsOf(resp)) == 0 || int64(total) <= limit {
		return nil
	}
	return functions.Errorf(functions.Invalid, "crops", "the output and the crops have %d bytes, more than MAX_OBJECT_BYTES=%d: "+
		"set crops.max_count, crops.target_width or encoding.quality, or write them with an output_image", total, limit)
}

// cropBytes returns the encoded size of all crops that a response holds.
func cropBytes(resp functions.Response) (n int) {
	for _, c := range cropsOf(resp) {
		n += len(c.GetData())
	}
	return n
}

// writeCrops writes the crops of a response and replaces their bytes by their locations. It returns
// what it has written, also after an error.
func (o *outputs) writeCrops(ctx context.Context, resp functions.Response) (written []objects.Info, err error) {
	crops := cropsOf(resp)
	written = make([]objects.Info, len(crops))
	group, going := errgroup.WithContext(ctx)
	group.SetLimit(cropsAtOnce)
	for i, c := range crops {
		group.Go(func() (err error) {
			if err := going.Err(); err != nil {
				return err
			}
			// An error elsewhere does not end this write: the store may have the object although the call was cancelled.
			written[i], err = o.writeCrop(ctx, strconv.Itoa(i+1), c)
			return err
		})
	}
	return written, group.Wait()
}

// writeCrop writes the crop with a number.
func (o *outputs) writeCrop(ctx context.Context, number string, c *imageflowv1.DetectionCrop) (objects.Info, error) {
	format, ok := imaging.FormatOf(c.GetImage().GetContentType())
	if !ok {
		return objects.Info{}, fmt.Errorf("a crop of type %q", c.GetImage().GetContentType())
	}
	output := o.plan.targets.output
	at := location{output.bucket, cropPrefix(output) + number + "." + format.Extension()}
	info, err := o.write(ctx, at, format.MediaType(), c.GetData(), map[string]string{
		execution.CropMetadata:   number,
		execution.WidthMetadata:  strconv.Itoa(int(c.GetImage().GetWidth())),
		execution.HeightMetadata: strconv.Itoa(int(c.GetImage().GetHeight())),
	}, objects.Info{})
	if err != nil {
		return info, err
	}
	c.Image.Bucket, c.Image.ObjectKey, c.Image.Etag, c.Data = at.bucket, at.key, info.ETag, nil
	return info, nil
}

// hasCrops reports whether the crops that a response lists exist.
func (o *outputs) hasCrops(ctx context.Context, resp functions.Response) bool {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cropsAtOnce)
	for _, c := range cropsOf(resp) {
		group.Go(func() error {
			info, err := o.store.Stat(ctx, c.GetImage().GetBucket(), c.GetImage().GetObjectKey())
			if err == nil && info.ETag != c.GetImage().GetEtag() {
				err = objects.ErrChanged
			}
			return err
		})
	}
	return group.Wait() == nil
}
