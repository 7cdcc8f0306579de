package job

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/internal/events"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// describe fills a result with what the plan tells, about an output.
func (p *plan) describe(result *imageflowv1.ProcessingResult, image *imageflowv1.ImageData) {
	result.Status = imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED
	result.OutputImage = image
	result.FirstFrameOnly = p.animated
	events.ExecutionID.Set(result, p.execution)
	if p.source.key != "" {
		events.SourceBucket.Set(result, p.source.bucket)
		events.SourceKey.Set(result, p.source.key)
		events.SourceETag.Set(result, p.etag)
	}
	if p.output.key != "" {
		image.Bucket, image.ObjectKey = p.output.bucket, p.output.key
	}
	if len(p.repaired) > 0 {
		events.Repaired.Set(result, strings.Join(p.repaired, "; "))
	}
	if p.sideCar.key != "" {
		events.SideCar.Set(result, p.sideCar.key)
	}
}

// clock writes the job's times into its result.
func (t *task) clock(result *imageflowv1.ProcessingResult) {
	for stage, took := range t.watch.Stages() {
		events.StageTime(stage).Set(result, fmt.Sprintf("%.3f", float64(took)/float64(time.Millisecond)))
	}
	result.ProcessedAt = timestamppb.Now()
	result.ProcessingTimeSeconds = t.watch.Elapsed().Seconds()
}
