package job

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
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

// describe fills a result from the plan. It sets the location of the output image, which has several
// frames, or 0 if it is a still one.
func (p *resolvedPlan) describe(result *imageflowv1.ProcessingResult, image *imageflowv1.ImageData, frames int) {
	result.Status = imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED
	result.OutputImage = image
	result.FirstFrameOnly = p.image.Animated && !p.image.Moves(p.format) && p.frames == (imaging.Selection{})
	result.Frames = int32(frames)
	events.ExecutionID.Set(result, p.names.Execution)
	if p.names.Variant != "" {
		events.Variant.Set(result, p.names.Variant)
	}
	if p.source.key != "" {
		events.SourceBucket.Set(result, p.source.bucket)
		events.SourceKey.Set(result, p.source.key)
		events.SourceETag.Set(result, p.input.source.ETag)
	}
	if id := p.input.referenceInfo.Metadata[execution.IDMetadata]; id != "" {
		events.ReferenceExecution.Set(result, id)
	}
	if p.targets.output.key != "" {
		image.Bucket, image.ObjectKey = p.targets.output.bucket, p.targets.output.key
	}
	if len(p.image.Repaired) > 0 {
		events.Repaired.Set(result, strings.Join(p.image.Repaired, "; "))
	}
	if p.targets.sideCar.key != "" {
		events.SideCar.Set(result, p.targets.sideCar.key)
	}
}

// setTimes sets the time, the duration and the stages of the job in its result.
func setTimes(result *imageflowv1.ProcessingResult, record *telemetry.Job) {
	for stage, took := range record.Stages() {
		events.StageTime(stage).Set(result, fmt.Sprintf("%.3f", float64(took)/float64(time.Millisecond)))
	}
	result.ProcessedAt = timestamppb.Now()
	result.ProcessingTimeSeconds = record.Elapsed().Seconds()
}
