package telemetry

import (
	"net/http"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// noMetrics disables the metrics of the instrumentation: package server measures.
var noMetrics = noop.NewMeterProvider()

// Handler starts a span for each request to next. The span continues the trace of the
// event that the request carries, or of the request itself.
func (t *Tracing) Handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	described := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		describe(trace.SpanFromContext(r.Context()), r.Header)
		next.ServeHTTP(w, r)
	})
	return otelhttp.NewHandler(described, "", otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(propagator),
		otelhttp.WithMeterProvider(noMetrics), otelhttp.WithSpanNameFormatter(spanName))
}

// spanName returns the name of a request's span: the pattern of the mux that matched
// it, so that callers cannot create names. If that pattern is a subtree, the span keeps
// the name that its handler set.
func spanName(_ string, r *http.Request) string {
	if r.Pattern != "" && !strings.HasSuffix(r.Pattern, "/") {
		if method, path, ok := strings.Cut(r.Pattern, " "); ok {
			return method + " " + strings.TrimSuffix(path, "{$}")
		}
		return r.Method + " " + r.Pattern
	}
	if span, begun := trace.SpanFromContext(r.Context()).(sdk.ReadOnlySpan); begun {
		return span.Name()
	}
	return r.Method
}

// Transport starts a span for each request through next, and adds its trace to the
// headers of the request and of the event that it carries.
func (t *Tracing) Transport(next http.RoundTripper) http.RoundTripper {
	if t == nil {
		return next
	}
	described := roundTripper(func(r *http.Request) (*http.Response, error) {
		describe(trace.SpanFromContext(r.Context()), r.Header)
		return next.RoundTrip(r)
	})
	return otelhttp.NewTransport(described, otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(propagator),
		otelhttp.WithMeterProvider(noMetrics), otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
			if r.Header.Get(idHeader) != "" {
				return "send event"
			}
			return r.Method
		}))
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// describe sets the attributes of the event that a request carries.
func describe(span trace.Span, header http.Header) {
	if header.Get(idHeader) == "" || !span.IsRecording() {
		return
	}
	for name, key := range map[string]attribute.Key{
		"Id": semconv.CloudEventsEventIDKey, "Source": semconv.CloudEventsEventSourceKey,
		"Type": semconv.CloudEventsEventTypeKey, "Subject": semconv.CloudEventsEventSubjectKey,
	} {
		if value := header.Get(eventHeaders + name); value != "" {
			span.SetAttributes(key.String(value))
		}
	}
}

// Server is an option of a gRPC server: each call has a span.
func (t *Tracing) Server() grpc.ServerOption {
	if t == nil {
		return grpc.EmptyServerOption{}
	}
	return grpc.StatsHandler(otelgrpc.NewServerHandler(t.rpc()...))
}

// Client is an option of a gRPC connection: each call has a span, and carries its trace.
func (t *Tracing) Client() grpc.DialOption {
	if t == nil {
		return grpc.EmptyDialOption{}
	}
	return grpc.WithStatsHandler(otelgrpc.NewClientHandler(t.rpc()...))
}

func (t *Tracing) rpc() []otelgrpc.Option {
	return []otelgrpc.Option{
		otelgrpc.WithTracerProvider(t.provider), otelgrpc.WithPropagators(propagator), otelgrpc.WithMeterProvider(noMetrics),
		otelgrpc.WithFilter(isWork),
	}
}

// isWork is false for health checks and reflection, which have no spans.
func isWork(call *stats.RPCTagInfo) bool {
	method := call.FullMethodName
	return !strings.HasPrefix(method, "/grpc.") && !strings.HasSuffix(method, "/Health") &&
		!strings.HasSuffix(method, "Ready") && !strings.HasSuffix(method, "Live")
}
