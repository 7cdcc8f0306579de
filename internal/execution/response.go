package execution

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Statuses are the statuses of states in the contract.
var Statuses = map[State]imageflowv1.ProcessingStatus{
	Pending:   imageflowv1.ProcessingStatus_PROCESSING_STATUS_PENDING,
	Running:   imageflowv1.ProcessingStatus_PROCESSING_STATUS_RUNNING,
	Completed: imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED,
	Failed:    imageflowv1.ProcessingStatus_PROCESSING_STATUS_FAILED,
}

// Response returns the execution as GetExecution answers it.
func (e Execution) Response() *imageflowv1.GetExecutionResponse {
	r := &imageflowv1.GetExecutionResponse{ExecutionId: e.ID, Status: Statuses[e.State]}
	if e.Source != nil {
		r.Source = imageData(*e.Source)
	}
	for _, s := range e.Steps {
		r.Steps = append(r.Steps, &imageflowv1.ExecutionStep{
			Name: s.Name, Variant: s.Variant, Status: imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED,
			OutputImage: imageData(s.Output), SideCar: s.SideCar,
			FinishedAt: timestamppb.New(s.Finished()), ProcessingTimeSeconds: s.Seconds,
		})
	}
	if f := e.Failure; f != nil {
		r.Failure = &imageflowv1.ExecutionFailure{
			Step: f.Step, Code: int32(f.Code), Reason: f.Reason, Attempts: int32(f.Attempts),
			FailedAt: timestamppb.New(f.Last), DeadLetter: f.Object,
		}
	}
	return r
}

func imageData(info objects.Info) *imageflowv1.ImageData {
	width, height := Size(info)
	image := &imageflowv1.ImageData{
		Width: int32(width), Height: int32(height),
		Bucket: info.Bucket, ObjectKey: info.Key, ContentType: info.ContentType, SizeBytes: info.Size,
		Etag: info.ETag,
	}
	if !info.Modified.IsZero() {
		image.CreatedAt = timestamppb.New(info.Modified)
	}
	return image
}
