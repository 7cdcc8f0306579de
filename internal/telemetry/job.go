// Package telemetry exports metrics to Prometheus and spans by OTLP, propagates traces
// over HTTP, gRPC and CloudEvents, and adds trace and execution ids to log records.
package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"imageflow.dev/internal/metrics"
)

var (
	jobDuration   = metrics.Histogram("imageflow.job.duration", "s", "time of a job, by step and outcome", metrics.LatencyBounds)
	stageDuration = metrics.Histogram("imageflow.job.stage.duration", "s",
		"time of a stage of a job, by step and stage", metrics.LatencyBounds)
	jobOutputs = metrics.Counter("imageflow.job.outputs", "images that jobs made, by step and path of the pixels")
)

// scope is the instrumentation scope of the spans.
const scope = "imageflow.dev"

// start starts a child of the span in ctx. It uses the provider of that span, so that
// several services can run in one process.
func start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	return trace.SpanFromContext(ctx).TracerProvider().Tracer(scope).Start(ctx, name, options...)
}

// Job records the duration, the stages and the outcome of one job. It is not safe for
// concurrent use.
type Job struct {
	processor string
	span      trace.Span
	start     time.Time
	stages    map[string]time.Duration
}

// StartJob starts the span of a job of the named processor, whose request arrived at the time began. The context
// carries the span.
func StartJob(ctx context.Context, processor string, began time.Time) (context.Context, *Job) {
	ctx, span := start(ctx, processor,
		trace.WithTimestamp(began), trace.WithAttributes(attribute.String("imageflow.step", processor)))
	return ctx, &Job{processor: processor, span: span, start: began, stages: map[string]time.Duration{}}
}

// SetExecution sets the execution id of the job. The context carries it to log lines.
func (j *Job) SetExecution(ctx context.Context, execution string) context.Context {
	j.span.SetAttributes(attribute.String("imageflow.execution", execution))
	return WithExecution(ctx, execution)
}

// Stage starts a stage, or a part of the stage of ctx. The returned function ends it. The
// durations of stages with one name are added.
func (j *Job) Stage(ctx context.Context, name string) (_ context.Context, end func()) {
	began := time.Now()
	ctx, span := start(ctx, name)
	return ctx, func() {
		j.stages[name] += time.Since(began)
		span.End()
	}
}

// Stages returns the duration of each finished stage.
func (j *Job) Stages() map[string]time.Duration { return j.stages }

// Elapsed returns the time since the job started.
func (j *Job) Elapsed() time.Duration { return time.Since(j.start) }

// End ends the job: it ends the span, records the metrics, and logs the outcome and the
// duration of each stage.
func (j *Job) End(ctx context.Context, outcome string, err error) {
	j.measure(ctx, outcome)
	attributes := []slog.Attr{
		slog.String("step", j.processor), slog.String("outcome", outcome), slog.Float64("ms", milliseconds(j.Elapsed())),
	}
	for _, stage := range slices.Sorted(maps.Keys(j.stages)) {
		attributes = append(attributes, slog.Float64(stage+"_ms", milliseconds(j.stages[stage])))
	}
	j.span.SetAttributes(outcomeAttribute(outcome))
	if err != nil {
		attributes = append(attributes, slog.String("error", err.Error()))
		j.span.RecordError(err)
		j.span.SetAttributes(semconv.ErrorTypeKey.String(outcome))
		j.span.SetStatus(codes.Error, outcome)
	}
	slog.LogAttrs(ctx, slog.LevelInfo, "job", attributes...)
	j.span.End()
}

// CountOutput counts an image that the job made by a path of package imaging.
func (j *Job) CountOutput(ctx context.Context, path string) {
	jobOutputs.Add(ctx, 1, metric.WithAttributes(
		attribute.String("step", j.processor), attribute.String("path", path)))
}

func (j *Job) measure(ctx context.Context, outcome string) {
	step := attribute.String("step", j.processor)
	jobDuration.Record(ctx, j.Elapsed().Seconds(), metric.WithAttributes(step, attribute.String("outcome", outcome)))
	for stage, took := range j.stages {
		stageDuration.Record(ctx, took.Seconds(), metric.WithAttributes(step, attribute.String("stage", stage)))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
