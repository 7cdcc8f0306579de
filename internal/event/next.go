package event

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/objects"
)

// maxDataBytes is what an event may carry by the CloudEvents specification's
// advice for intermediaries. A longer response loses its facts, which lie in
// the side-car; its result stays.
const maxDataBytes = 60 << 10

// next makes the event that tells of a step's end. Equal causes and parameters
// give it equal ids, so that a repeated delivery can be recognised, and one event
// may still have the same step twice with other parameters.
func next(ctx context.Context, cause *cloudevent.Event, step, parameters string, resp functions.Response) (*cloudevent.Event, error) {
	json := protojson.MarshalOptions{UseProtoNames: true}
	data, err := json.Marshal(resp)
	if err != nil {
		return nil, err
	}
	if len(data) > maxDataBytes {
		result, err := json.Marshal(resp.GetResult())
		if err != nil {
			return nil, err
		}
		data = append(append([]byte(`{"result":`), result...), '}')
	}
	execution := resp.GetResult().GetMetadata()["execution_id"]
	digest := sha256.Sum256([]byte(strings.Join([]string{cause.Source(), cause.ID(), step, parameters}, "\x00")))
	e := cloudevent.New()
	e.SetID(hex.EncodeToString(digest[:16]))
	e.SetSource("/imageflow/" + step)
	e.SetType("dev.imageflow." + step + ".completed.v1")
	e.SetSubject(httpevent.Attribute(execution))
	e.SetTime(resp.GetResult().GetProcessedAt().AsTime())
	e.SetExtension("causationid", cause.ID())
	e.SetExtension("correlationid", cause.ID())
	if root, ok := cause.Extensions()["correlationid"]; ok {
		e.SetExtension("correlationid", root)
	}
	if at := began(cause); !at.IsZero() {
		e.SetExtension("began", at)
	}
	e.SetExtension("partitionkey", httpevent.Attribute(execution))
	e.SetExtension(hopsExtension, hops(cause)+1)
	e.SetExtension("origin", originOf(cause, resp.GetResult().GetMetadata()))
	carryTrace(ctx, cause, &e)
	return &e, e.SetData(cloudevent.ApplicationJSON, data)
}

// hopsExtension counts the steps that have led to an event.
const hopsExtension = "hops"

// maxHops ends a chain whose Triggers lead back into it: brokers either do not,
// or only after hundreds of steps and without a dead letter.
const maxHops = 16

// hops returns how many steps have led to an event; 0 where it does not say.
func hops(e *cloudevent.Event) int32 {
	n, err := types.ToInteger(e.Extensions()[hopsExtension])
	if err != nil {
		return 0
	}
	return n
}

// began returns when the chain did: what the cause says of it, or else the time
// of the cause, which is the first and may have none.
func began(cause *cloudevent.Event) time.Time {
	if at, err := types.ToTime(cause.Extensions()["began"]); err == nil {
		return at
	}
	return cause.Time()
}

// originOf names the object that the chain began with: the cause's origin, or
// the source of this step when it is the first.
func originOf(cause *cloudevent.Event, facts map[string]string) any {
	if origin, ok := cause.Extensions()["origin"]; ok {
		return origin
	}
	return objects.URI(facts["source_bucket"], facts["source_key"], facts["source_etag"])
}

// carryTrace hands on the trace of the work done, or else of the cause.
func carryTrace(ctx context.Context, cause, e *cloudevent.Event) {
	carrier := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, carrier)
	for _, name := range []string{"traceparent", "tracestate"} {
		if value := carrier.Get(name); value != "" {
			e.SetExtension(name, value)
		} else if value, ok := cause.Extensions()[name]; ok {
			e.SetExtension(name, value)
		}
	}
}
