package role

import (
	"context"

	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// describing is the service that describes images.
var describing = service{
	desc: &imageflowv1.ImageService_ServiceDesc, impl: func(r *job.Runner) any { return imageService{runner: r} },
}

// imageService describes images within the limits of a runner.
type imageService struct {
	imageflowv1.UnimplementedImageServiceServer
	runner *job.Runner
}

// DescribeImage describes an image from its header.
func (s imageService) DescribeImage(
	ctx context.Context, req *imageflowv1.DescribeImageRequest,
) (*imageflowv1.DescribeImageResponse, error) {
	resp, err := s.runner.Describe(ctx, req)
	if err != nil {
		return nil, job.Status(ctx, err).Err()
	}
	return resp, nil
}
