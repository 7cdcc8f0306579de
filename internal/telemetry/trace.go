package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Traces configures the export of spans. The OpenTelemetry SDK reads other settings
// from the environment: endpoints, headers, sampling and batches.
type Traces struct {
	// Exporter is OTLP or None; empty means OTLP if Endpoint is set.
	Exporter string
	// Protocol is HTTP or GRPC; empty means HTTP.
	Protocol string
	// Endpoint is the URL of the collector. Only whether it is set matters: the SDK reads
	// its value from the environment.
	Endpoint string
}

// The names of the exporters and the protocols in OpenTelemetry.
const (
	OTLP = "otlp"
	None = "none"
	HTTP = "http/protobuf"
	GRPC = "grpc"
)

func (t Traces) isEnabled() bool {
	return t.Exporter == OTLP || t.Exporter == "" && t.Endpoint != ""
}

// Tracing creates the spans of one service. A nil Tracing creates none: its methods
// return their arguments unchanged.
type Tracing struct{ provider *sdk.TracerProvider }

// StartTracing returns the Tracing of the named service, or nil if traces are off. It
// does not wait for the collector: spans that cannot be sent are lost, and logged.
func StartTracing(ctx context.Context, t Traces, service string) (*Tracing, error) {
	if !t.isEnabled() {
		return nil, nil
	}
	exporter, err := t.exporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv(),
		resource.WithAttributes(semconv.ServiceName(service), semconv.ServiceVersion(version())))
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetTextMapPropagator(propagator)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Warn("spans or metrics lost", "error", err) }))
	return &Tracing{provider: sdk.NewTracerProvider(
		sdk.WithSpanProcessor(outcomeFilter{sdk.NewBatchSpanProcessor(exporter)}),
		sdk.WithResource(about), sdk.WithIDGenerator(idGenerator{}),
	)}, nil
}

// outcomeFilter drops the spans of ignored events. Five of the six notifications of a
// chain report our own outputs and are ignored.
type outcomeFilter struct{ sdk.SpanProcessor }

// OnEnd passes a span on, unless it has no parent and the outcome "ignored".
func (p outcomeFilter) OnEnd(s sdk.ReadOnlySpan) {
	if s.Parent().IsValid() || !slices.Contains(s.Attributes(), outcomeAttribute("ignored")) { // Attributes copies, so it comes last
		p.SpanProcessor.OnEnd(s)
	}
}

// outcomeAttribute returns the attribute for the outcome of a span's work.
func outcomeAttribute(outcome string) attribute.KeyValue {
	return attribute.String("imageflow.outcome", outcome)
}

func (t Traces) exporter(ctx context.Context) (*otlptrace.Exporter, error) {
	switch cmp.Or(t.Protocol, HTTP) {
	case HTTP:
		return otlptracehttp.New(ctx)
	case GRPC:
		return otlptracegrpc.New(ctx)
	}
	return nil, fmt.Errorf("the protocol %q is neither %s nor %s", t.Protocol, HTTP, GRPC)
}

// version returns the version of the main module, or the commit of its build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Version
}

// shutdownTimeout bounds the time to send the last spans.
const shutdownTimeout = 5 * time.Second

// End sends the remaining spans. No spans are created after it.
func (t *Tracing) End() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}

// propagator carries traces between processes.
var propagator = eventPropagator{propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})}

// eventPropagator carries the trace of a CloudEvent also in its extensions. They survive
// where HTTP headers do not: in the queue of a broker, and in a reply, which a broker
// forwards with the headers of the answered event. So extensions take precedence.
type eventPropagator struct{ propagation.TextMapPropagator }

// The headers of CloudEvents in binary mode.
const (
	idHeader     = "Ce-Id"
	eventHeaders = "Ce-"
)

// Inject sets the headers, and the extensions if the carrier holds an event.
func (p eventPropagator) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	p.TextMapPropagator.Inject(ctx, carrier)
	if carrier.Get(idHeader) != "" {
		propagation.TraceContext{}.Inject(ctx, extensions{carrier})
	}
}

// Extract returns a context with the trace of the event, or else of the request.
func (p eventPropagator) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	ctx = p.TextMapPropagator.Extract(ctx, carrier)
	return propagation.TraceContext{}.Extract(ctx, extensions{carrier})
}

// extensions is a carrier of the extensions of an event.
type extensions struct{ propagation.TextMapCarrier }

func (e extensions) Get(name string) string { return e.TextMapCarrier.Get(eventHeaders + name) }
func (e extensions) Set(name, value string) { e.TextMapCarrier.Set(eventHeaders+name, value) }
