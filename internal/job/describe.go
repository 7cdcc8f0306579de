package job

import (
	"cmp"
	"context"
	"math"

	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Describe describes an image from its header. The limits and the errors are those of Run: for the
// admission it is a job, but logs and metrics of jobs do not have it.
func (r *Runner) Describe(
	ctx context.Context, req *imageflowv1.DescribeImageRequest,
) (resp *imageflowv1.DescribeImageResponse, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			resp, err = nil, panicked(ctx, r.processor.Name, cause)
		}
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
	}()
	if err := Validate(req); err != nil {
		return nil, err
	}
	at := location{cmp.Or(req.GetBucket(), r.config.Bucket), req.GetObjectKey()}
	if err := authorizeObject(r.config.ReadFrom, at, "object_key", "READ_FROM"); err != nil {
		return nil, err
	}
	leave, err := r.admission.enter(ctx, FailFast, at.key == "")
	if err != nil {
		return nil, err
	}
	defer leave(context.Canceled) // its short time does not predict the time of jobs
	err = r.withTimeout(ctx, func(ctx context.Context) error {
		resp, err = r.describe(ctx, req, at)
		return err
	})
	return resp, err
}

// describe reads an image and describes it.
func (r *Runner) describe(
	ctx context.Context, req *imageflowv1.DescribeImageRequest, at location,
) (*imageflowv1.DescribeImageResponse, error) {
	data, info, err := r.read(ctx, req.GetInputBytes(), at, unquoted(req.GetEtag()), "object_key")
	if err != nil {
		return nil, err
	}
	h, err := imaging.ParseHeader(data, r.config.Limits)
	if err != nil {
		field := "object_key"
		if at.key == "" {
			field = "input_bytes"
		}
		return nil, inputError(err, field)
	}
	resp := describeHeader(h)
	resp.SizeBytes, resp.Etag = int64(len(data)), info.ETag
	if req.GetExif() || req.GetLocation() {
		addEXIF(resp, h.EXIF(), req)
	}
	return resp, nil
}

// describeHeader describes an image without its EXIF data.
func describeHeader(h imaging.Header) *imageflowv1.DescribeImageResponse {
	width, height := h.Size()
	across, down := h.Density()
	return &imageflowv1.DescribeImageResponse{
		ContentType: h.Format.MediaType(),
		Width:       int32(width), Height: int32(height), Orientation: int32(h.Orientation),
		Animated: h.Animated, Frames: int32(min(h.Frames, math.MaxInt32)),
		Alpha: h.Alpha, BitsPerChannel: int32(h.Bits), ColourSpace: h.ColourSpace(), Profile: h.ProfileName,
		DensityX: across, DensityY: down, Repaired: h.Repaired,
	}
}

// addEXIF adds the fields that the request asks for.
func addEXIF(resp *imageflowv1.DescribeImageResponse, e imaging.EXIF, req *imageflowv1.DescribeImageRequest) {
	if req.GetExif() && (e.Taken != "" || e.Make != "" || e.Model != "") {
		resp.Exif = &imageflowv1.Exif{TakenAt: e.Taken, CameraMake: e.Make, CameraModel: e.Model}
	}
	if l := e.Location; req.GetLocation() && l != nil {
		resp.Location = &imageflowv1.Location{Latitude: l.Latitude, Longitude: l.Longitude, Altitude: l.Altitude}
	}
}
