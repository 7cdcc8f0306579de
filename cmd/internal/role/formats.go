package role

import (
	"context"

	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// ListFormats lists the formats and what this build can do with them.
func (imageService) ListFormats(
	context.Context, *imageflowv1.ListFormatsRequest,
) (*imageflowv1.ListFormatsResponse, error) {
	resp := &imageflowv1.ListFormatsResponse{}
	for _, s := range imaging.AllSupport() {
		resp.Formats = append(resp.Formats, &imageflowv1.ImageFormat{
			ContentType: s.Format.MediaType(), Extensions: s.Extensions,
			Read: s.Read, Write: s.Write, ReadAnimated: s.ReadAnimated, WriteAnimated: s.WriteAnimated,
			Options: s.Options, Missing: s.Missing,
		})
	}
	return resp, nil
}
