package gateway

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc"

	"imageflow.dev/internal/metrics"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

var callOverhead = metrics.Histogram("imageflow.call.overhead", "s",
	"time of a call of a processor that is not the processor's own, by step", metrics.OverheadBounds)

// steps maps gRPC methods to the names of steps.
var steps = func() map[string]string {
	all := map[string]string{}
	for _, p := range processors.All {
		all[p.Method()] = p.Name
	}
	return all
}()

// MeasureOverhead is an interceptor for connections to processors. It records the time of
// a call without the processor's own time.
func MeasureOverhead(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	start := time.Now()
	err := invoke(ctx, method, req, reply, conn, opts...)
	answer, processed := reply.(interface {
		GetResult() *imageflowv1.ProcessingResult
	})
	if step, ok := steps[method]; ok && processed && err == nil {
		overhead := time.Since(start).Seconds() - answer.GetResult().GetProcessingTimeSeconds()
		callOverhead.Record(ctx, max(overhead, 0), metric.WithAttributes(attribute.String("step", step)))
	}
	return err
}
