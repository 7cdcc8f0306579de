package gateway

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

var meter = otel.Meter("imageflow.dev")

// What the gateway measures.
var (
	callOverhead = histogram("imageflow.call.overhead", "time of a processor's call beyond the processor's own, by step",
		0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
	pipelineDuration = histogram("imageflow.pipeline.duration", "time from a picture's coming to the end of its last step, by door",
		0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300)
)

func histogram(name, description string, bounds ...float64) metric.Float64Histogram {
	h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(bounds...))
	if err != nil {
		panic(err) // only for a name that is wrong
	}
	return h
}

// steps names the steps by their methods.
var steps = func() map[string]string {
	all := map[string]string{}
	for name, p := range processors {
		all[p.method] = string(name)
	}
	return all
}()

// MeasureOverhead is the interceptor of the connections to the processors: it
// measures what a call takes beyond the processor's own time.
func MeasureOverhead(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
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
