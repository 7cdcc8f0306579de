package job

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// describe fills a result with what the plan tells, about an output.
func (p *plan) describe(result *imageflowv1.ProcessingResult, image *imageflowv1.ImageData) {
	result.Status = imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED
	result.OutputImage = image
	result.FirstFrameOnly = p.animated
	note(result, "execution_id", p.execution)
	if p.source.key != "" {
		note(result, "source_bucket", p.source.bucket)
		note(result, "source_key", p.source.key)
		note(result, "source_etag", p.etag)
	}
	if p.output.key != "" {
		image.Bucket, image.ObjectKey = p.output.bucket, p.output.key
	}
	if len(p.repaired) > 0 {
		note(result, "repaired", strings.Join(p.repaired, "; "))
	}
	if p.sideCar.key != "" {
		note(result, "side_car", p.sideCar.key)
	}
}

// clock writes the job's times into its result.
func (t *task) clock(result *imageflowv1.ProcessingResult) {
	for stage, took := range t.watch.Stages() {
		note(result, stage+"_ms", fmt.Sprintf("%.3f", float64(took)/float64(time.Millisecond)))
	}
	result.ProcessedAt = timestamppb.Now()
	result.ProcessingTimeSeconds = t.watch.Elapsed().Seconds()
}

func note(result *imageflowv1.ProcessingResult, key, value string) {
	if result.Metadata == nil {
		result.Metadata = map[string]string{}
	}
	result.Metadata[key] = value
}
