package events

import (
	"context"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/httpevent"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// NewExecutionEnded returns the event that reports the outcome of the execution that began with origin. Its data is the
// execution as GetExecution answers it; above 60 KiB without its steps. The status of the execution is COMPLETED or
// FAILED, and its failure is given if it is FAILED. cause is the event after which the execution has ended.
//
// An execution has one id when it completes, and one for each event that made it fail, so that repeats are equal.
func NewExecutionEnded(
	ctx context.Context, cause *cloudevent.Event, origin Origin, ended *imageflowv1.GetExecutionResponse,
) (cloudevent.Event, error) {
	e := cloudevent.New()
	eventType, occasion := ExecutionCompleted, ""
	if ended.GetStatus() == imageflowv1.ProcessingStatus_PROCESSING_STATUS_FAILED {
		eventType, occasion = ExecutionFailed, cause.ID()
	}
	e.SetID(idOf(origin.Bucket, origin.Key, origin.ETag, eventType, occasion))
	e.SetSource(bridgeSource)
	e.SetType(eventType)
	e.SetSubject(httpevent.Attribute(ended.GetExecutionId()))
	e.SetTime(endOf(ended))
	PartitionKey.Set(&e, ended.GetExecutionId())
	setChain(&e, cause)
	origin.Set(&e)
	setTrace(ctx, &e, cause)
	options := protojson.MarshalOptions{UseProtoNames: true}
	data, err := options.Marshal(ended)
	if err == nil && len(data) > maxDataBytes {
		ended = proto.CloneOf(ended)
		ended.Steps = nil
		data, err = options.Marshal(ended)
	}
	if err != nil {
		return e, err
	}
	return e, e.SetData(cloudevent.ApplicationJSON, data)
}

// endOf returns the time of the failure, or else of the last output, or else now.
func endOf(ended *imageflowv1.GetExecutionResponse) time.Time {
	at := ended.GetFailure().GetFailedAt()
	for _, s := range ended.GetSteps() {
		if f := s.GetFinishedAt(); ended.GetFailure() == nil && f.AsTime().After(at.AsTime()) {
			at = f
		}
	}
	if at == nil {
		return time.Now()
	}
	return at.AsTime()
}

// ParseExecutionEnded returns the execution in the data of an "execution ended" event.
func ParseExecutionEnded(e *cloudevent.Event) (*imageflowv1.GetExecutionResponse, error) {
	ended := &imageflowv1.GetExecutionResponse{}
	return ended, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(e.Data(), ended)
}
