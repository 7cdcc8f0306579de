package job

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/telemetry"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// describeEncoded returns the description of an encoded image that is not stored yet.
func describeEncoded(out imaging.Encoded) *imageflowv1.ImageData {
	return &imageflowv1.ImageData{
		ContentType: out.Format.MediaType(), SizeBytes: int64(len(out.Data)),
		Width: int32(out.Width), Height: int32(out.Height),
	}
}

// describeStored returns the description of a stored image. Width and height are in
// pixels.
func describeStored(o objects.Info, width, height int) *imageflowv1.ImageData {
	return &imageflowv1.ImageData{
		ContentType: o.ContentType, SizeBytes: o.Size, Width: int32(width), Height: int32(height),
		Etag: o.ETag, CreatedAt: timestamppb.New(o.Modified),
	}
}

// describe fills a result from the plan. It sets the location of the output image.
func (p *resolvedPlan) describe(result *imageflowv1.ProcessingResult, image *imageflowv1.ImageData) {
	result.Status = imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED
	result.OutputImage = image
	result.FirstFrameOnly = p.image.Animated
	setMetadata(result, "execution_id", p.execution)
	if p.source.key != "" {
		setMetadata(result, "source_bucket", p.source.bucket)
		setMetadata(result, "source_key", p.source.key)
		setMetadata(result, "source_etag", p.input.etag)
	}
	if p.targets.output.key != "" {
		image.Bucket, image.ObjectKey = p.targets.output.bucket, p.targets.output.key
	}
	if len(p.image.Repaired) > 0 {
		setMetadata(result, "repaired", strings.Join(p.image.Repaired, "; "))
	}
	if p.targets.sideCar.key != "" {
		setMetadata(result, "side_car", p.targets.sideCar.key)
	}
}

// setTimes sets the time, the duration and the stages of the job in its result.
func setTimes(result *imageflowv1.ProcessingResult, record *telemetry.Job) {
	for stage, took := range record.Stages() {
		setMetadata(result, stage+"_ms", fmt.Sprintf("%.3f", float64(took)/float64(time.Millisecond)))
	}
	result.ProcessedAt = timestamppb.Now()
	result.ProcessingTimeSeconds = record.Elapsed().Seconds()
}

func setMetadata(result *imageflowv1.ProcessingResult, key, value string) {
	if result.Metadata == nil {
		result.Metadata = map[string]string{}
	}
	result.Metadata[key] = value
}
