// Package telemetry measures jobs and carries traces.
package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

var tracer = otel.Tracer("imageflow.dev")

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
	ctx, span := tracer.Start(ctx, processor, trace.WithAttributes(attribute.String("imageflow.processor", processor)))
	return &Job{processor: processor, ctx: ctx, span: span, start: time.Now(), stages: map[string]time.Duration{}}
}

// Context returns the context that carries the job's span.
func (j *Job) Context() context.Context { return j.ctx }

// Stage starts a stage; the function it returns ends it.
func (j *Job) Stage(name string) (end func()) {
	start := time.Now()
	_, span := tracer.Start(j.ctx, name)
	return func() {
		j.stages[name] += time.Since(start)
		span.End()
	}
}

// Stages returns how long each finished stage took.
func (j *Job) Stages() map[string]time.Duration { return j.stages }

// Elapsed returns the time since the job started.
func (j *Job) Elapsed() time.Duration { return time.Since(j.start) }

// End ends the job's span, measures the job and logs it: whose it was, how it
// ended, and where its time went.
func (j *Job) End(execution, outcome string, err error) {
	j.measure(outcome)
	attributes := []slog.Attr{
		slog.String("step", j.processor), slog.String("execution", execution), slog.String("outcome", outcome),
		slog.Float64("ms", milliseconds(j.Elapsed())),
	}
	for _, stage := range slices.Sorted(maps.Keys(j.stages)) {
		attributes = append(attributes, slog.Float64(stage+"_ms", milliseconds(j.stages[stage])))
	}
	if err != nil {
		attributes = append(attributes, slog.String("error", err.Error()))
		j.span.RecordError(err)
		j.span.SetStatus(codes.Error, "")
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
