// Package telemetry measures jobs and carries traces: what is measured is
// scraped by Prometheus, spans are sent by OTLP, and logs tell of which trace
// and execution they are.
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
	stageDuration = metrics.Histogram("imageflow.job.stage.duration", "s", "time of a stage of a job, by step and stage", metrics.LatencyBounds)
)

// scope names what makes the spans.
const scope = "imageflow.dev"

// start starts a span within that of the context. What made that one makes this
// one too, so that several services can be in one process.
func start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	return trace.SpanFromContext(ctx).TracerProvider().Tracer(scope).Start(ctx, name, options...)
}

// Job watches one job and its stages. It belongs to one goroutine.
type Job struct {
	processor string
	ctx       context.Context
	span      trace.Span
	start     time.Time
	stages    map[string]time.Duration
}

// StartJob starts the clock and the span of a job of the named processor.
func StartJob(ctx context.Context, processor string) *Job {
	ctx, span := start(ctx, processor, trace.WithAttributes(attribute.String("imageflow.step", processor)))
	return &Job{processor: processor, ctx: ctx, span: span, start: time.Now(), stages: map[string]time.Duration{}}
}

// Of says of which execution the job is.
func (j *Job) Of(execution string) {
	j.ctx = WithExecution(j.ctx, execution)
	j.span.SetAttributes(attribute.String("imageflow.execution", execution))
}

// Context returns the context that carries the job's span and its execution.
func (j *Job) Context() context.Context { return j.ctx }

// Stage starts a stage; the function it returns ends it.
func (j *Job) Stage(name string) (end func()) {
	_, end = j.Within(j.ctx, name)
	return end
}

// Within is Stage for one that is a part of another, or has parts. The context
// carries its span.
func (j *Job) Within(ctx context.Context, name string) (_ context.Context, end func()) {
	began := time.Now()
	ctx, span := start(ctx, name)
	return ctx, func() {
		j.stages[name] += time.Since(began)
		span.End()
	}
}

// Stages returns how long each finished stage took.
func (j *Job) Stages() map[string]time.Duration { return j.stages }

// Elapsed returns the time since the job started.
func (j *Job) Elapsed() time.Duration { return time.Since(j.start) }

// End ends the job's span, measures the job and logs it: whose it was, how it
// ended, and where its time went.
func (j *Job) End(outcome string, err error) {
	j.measure(outcome)
	attributes := []slog.Attr{
		slog.String("step", j.processor), slog.String("outcome", outcome), slog.Float64("ms", milliseconds(j.Elapsed())),
	}
	for _, stage := range slices.Sorted(maps.Keys(j.stages)) {
		attributes = append(attributes, slog.Float64(stage+"_ms", milliseconds(j.stages[stage])))
	}
	j.span.SetAttributes(ended(outcome))
	if err != nil {
		attributes = append(attributes, slog.String("error", err.Error()))
		j.span.RecordError(err)
		j.span.SetAttributes(semconv.ErrorTypeKey.String(outcome))
		j.span.SetStatus(codes.Error, outcome)
	}
	slog.LogAttrs(j.ctx, slog.LevelInfo, "job", attributes...)
	j.span.End()
}

func (j *Job) measure(outcome string) {
	step := attribute.String("step", j.processor)
	jobDuration.Record(j.ctx, j.Elapsed().Seconds(), metric.WithAttributes(step, attribute.String("outcome", outcome)))
	for stage, took := range j.stages {
		stageDuration.Record(j.ctx, took.Seconds(), metric.WithAttributes(step, attribute.String("stage", stage)))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
