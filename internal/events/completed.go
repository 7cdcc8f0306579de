package events

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/httpevent"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// maxDataBytes limits the data of a "step completed" event: CloudEvents advises
// intermediaries to forward events of up to 64 KiB.
const maxDataBytes = 60 << 10

// Response is the response of a step.
type Response interface {
	proto.Message
	GetResult() *imageflowv1.ProcessingResult
}

// NewStepCompleted returns the event that reports the end of a step. Its data is the
// response. A response above 60 KiB is reduced to its result: the side-car has the rest.
//
// Equal causes and parameters give equal ids, so that a repeated delivery can be
// recognised and one event may still have the same step twice with other parameters.
func NewStepCompleted(
	ctx context.Context, cause *cloudevent.Event, step, parameters string, resp Response,
) (*cloudevent.Event, error) {
	data, err := completedData(resp)
	if err != nil {
		return nil, err
	}
	result := resp.GetResult()
	id := ExecutionID.Get(result)
	e := cloudevent.New()
	e.SetID(idOf(cause.Source(), cause.ID(), step, parameters))
	e.SetSource(StepSource(step))
	e.SetType(StepCompletedType(step))
	e.SetSubject(httpevent.Attribute(id))
	e.SetTime(result.GetProcessedAt().AsTime())
	PartitionKey.Set(&e, id)
	if variant := Variant.Get(result); variant != "" {
		VariantOf.Set(&e, variant)
	}
	setChain(&e, cause)
	if _, ok := OriginURI.Get(&e); !ok { // this step is the first of the chain
		Origin{SourceBucket.Get(result), SourceKey.Get(result), SourceETag.Get(result)}.Set(&e)
	}
	setTrace(ctx, &e, cause)
	return &e, e.SetData(cloudevent.ApplicationJSON, data)
}

func completedData(resp Response) ([]byte, error) {
	options := protojson.MarshalOptions{UseProtoNames: true}
	data, err := options.Marshal(resp)
	if err != nil || len(data) <= maxDataBytes {
		return data, err
	}
	result, err := options.Marshal(resp.GetResult())
	if err != nil {
		return nil, err
	}
	return append(append([]byte(`{"result":`), result...), '}'), nil
}

// setChain sets the extensions that an event has from the event that led to it.
func setChain(e, cause *cloudevent.Event) {
	CausationID.Set(e, cause.ID())
	CorrelationID.Set(e, cause.ID())
	for _, x := range []Text{CorrelationID, OriginURI, Backfill} {
		if value, ok := x.Get(cause); ok {
			x.Set(e, value)
		}
	}
	if at := ChainBegan(cause); !at.IsZero() {
		Began.Set(e, at)
	}
	ChainLength.Set(e, ChainLength.Get(cause)+1)
}

// ChainBegan returns when the chain of an event began: its extension Began, or the
// event's own time where it is the first. It may be zero.
func ChainBegan(e *cloudevent.Event) time.Time {
	if at := Began.Get(e); !at.IsZero() {
		return at
	}
	return e.Time()
}

// setTrace sets the trace of the work done, or else the trace of the cause.
func setTrace(ctx context.Context, e, cause *cloudevent.Event) {
	carrier := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, carrier)
	for _, name := range (propagation.TraceContext{}).Fields() {
		if value := carrier.Get(name); value != "" {
			Text(name).Set(e, value)
		} else if value, ok := Text(name).Get(cause); ok {
			Text(name).Set(e, value)
		}
	}
}

// ParseStepCompleted returns the result in the data of a "step completed" event,
// whichever step made it. The result names an output.
func ParseStepCompleted(e *cloudevent.Event) (*imageflowv1.ProcessingResult, error) {
	var data struct{ Result json.RawMessage }
	result := &imageflowv1.ProcessingResult{}
	err := json.Unmarshal(e.Data(), &data)
	if err == nil {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data.Result, result)
	}
	if err != nil {
		return nil, errors.New("not the response of a step")
	}
	if result.GetOutputImage().GetObjectKey() == "" {
		return nil, errors.New("the response of the step before names no output")
	}
	return result, nil
}
