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

// Traces says whether and how spans leave the process. The OpenTelemetry SDK
// reads the rest from the environment by itself: endpoints, headers, sampling,
// batches.
type Traces struct {
	// Exporter is OTLP, or None; empty means OTLP where there is an Endpoint.
	Exporter string
	// Protocol is HTTP or GRPC; empty means HTTP.
	Protocol string
	// Endpoint is where spans go; empty leaves it to the SDK.
	Endpoint string
}

// The exporters and the protocols, by their names in OpenTelemetry.
const (
	OTLP = "otlp"
	None = "none"
	HTTP = "http/protobuf"
	GRPC = "grpc"
)

func (t Traces) on() bool {
	return t.Exporter == OTLP || t.Exporter == "" && t.Endpoint != ""
}

// Tracing makes the spans of one service. A nil one makes none, costs nothing and
// leaves what it is given as it is.
type Tracing struct{ provider *sdk.TracerProvider }

// StartTracing returns what makes the spans of the named service, or nil where
// none are wanted. It does not wait for who takes them: what cannot be sent is
// logged and lost.
func StartTracing(ctx context.Context, t Traces, service string) (*Tracing, error) {
	if !t.on() {
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
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Warn("telemetry was lost", "error", err) }))
	return &Tracing{provider: sdk.NewTracerProvider(
		sdk.WithSpanProcessor(telling{sdk.NewBatchSpanProcessor(exporter)}), sdk.WithResource(about), sdk.WithIDGenerator(ids{}),
	)}, nil
}

// telling passes on the spans that tell something. Of six notifications of a
// chain five are of our own outputs, and are ignored.
type telling struct{ sdk.SpanProcessor }

// OnEnd passes a span on, unless it is the first and its outcome is "ignored".
func (p telling) OnEnd(s sdk.ReadOnlySpan) {
	if s.Parent().IsValid() || !slices.Contains(s.Attributes(), ended("ignored")) { // Attributes copies
		p.SpanProcessor.OnEnd(s)
	}
}

// ended is the attribute that tells how the work of a span ended.
func ended(how string) attribute.KeyValue { return attribute.String("imageflow.outcome", how) }

func (t Traces) exporter(ctx context.Context) (*otlptrace.Exporter, error) {
	switch cmp.Or(t.Protocol, HTTP) {
	case HTTP:
		return otlptracehttp.New(ctx)
	case GRPC:
		return otlptracegrpc.New(ctx)
	}
	return nil, fmt.Errorf("the protocol %q is neither %s nor %s", t.Protocol, HTTP, GRPC)
}

// version is that of the main module, or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Version
}

// endPatience is how long the last spans may take to be sent.
const endPatience = 5 * time.Second

// End sends what spans are left, and makes no more.
func (t *Tracing) End() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), endPatience)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("the last spans were not sent: %w", err)
	}
	return nil
}

// propagator carries traces between processes.
var propagator = events{propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})}

// events carries the trace of a CloudEvent in its extensions too, which last
// where the headers of a request do not: in a broker's queue, and over a reply,
// which a broker sends on with the headers of what it answers. So the extensions
// are believed first.
type events struct{ propagation.TextMapPropagator }

// The headers of CloudEvents in binary mode that tell of one, and of its trace.
const (
	idHeader     = "Ce-Id"
	eventHeaders = "Ce-"
)

// Inject adds the extensions where the carrier has an event.
func (p events) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	p.TextMapPropagator.Inject(ctx, carrier)
	if carrier.Get(idHeader) != "" {
		propagation.TraceContext{}.Inject(ctx, extensions{carrier})
	}
}

// Extract takes the trace of the event, or else of the request.
func (p events) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	ctx = p.TextMapPropagator.Extract(ctx, carrier)
	return propagation.TraceContext{}.Extract(ctx, extensions{carrier})
}

// extensions are the headers of an event's extensions.
type extensions struct{ propagation.TextMapCarrier }

func (e extensions) Get(name string) string { return e.TextMapCarrier.Get(eventHeaders + name) }
func (e extensions) Set(name, value string) { e.TextMapCarrier.Set(eventHeaders+name, value) }
