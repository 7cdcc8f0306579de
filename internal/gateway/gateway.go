// Package gateway is the JSON door: HTTP with JSON in, gRPC out.
package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/queryparams"
)

// Backend is one service and a connection to it.
type Backend struct {
	Register func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error
	Conn     *grpc.ClientConn
}

// New returns a handler of `/v1/...` that calls the backends, and of
// `/openapi.json`. JSON has the field names of the contract; lowerCamelCase is
// read as well. A field that does not exist is an error. Requests may also come
// as forms with a file; see form.
func New(ctx context.Context, timeout time.Duration, maxBody int64, backends ...Backend) (http.Handler, error) {
	json := bodyMarshaler{&runtime.HTTPBodyMarshaler{Marshaler: &runtime.JSONPb{
		MarshalOptions: protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true},
	}}}
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, json),
		runtime.WithMetadata(nameSpan),
		runtime.WithForwardResponseOption(setImageType),
		runtime.WithForwardResponseRewriter(answerImage),
		runtime.WithErrorHandler(answerError),
		runtime.WithRoutingErrorHandler(answerRouting),
		runtime.WithIncomingHeaderMatcher(matchHeader),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
	)
	if err := mux.HandlePath(http.MethodGet, openAPIPath, serveOpenAPI); err != nil {
		return nil, err
	}
	for _, b := range backends {
		if err := b.Register(ctx, mux, b.Conn); err != nil {
			return nil, err
		}
	}
	return limitConcurrency(mux, bound(mux, timeout, maxBody)), nil
}

// bound limits the time that a request may take, and the size of its parts.
func bound(mux *runtime.ServeMux, timeout time.Duration, maxBody int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		r, err := checkRequest(r.WithContext(ctx), maxBody)
		if err != nil {
			w.Header().Set("Connection", "close") // the body is not read
			_, marshaler := runtime.MarshalerForRequest(mux, r)
			answerError(ctx, mux, marshaler, w, r, err)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// checkRequest refuses what can be refused before the body is read, and prepares
// the rest.
func checkRequest(r *http.Request, maxBody int64) (*http.Request, error) {
	if r.ContentLength > maxBody {
		return r, status.Errorf(codes.InvalidArgument, "a body of %d bytes: no more than %d are taken", r.ContentLength, maxBody)
	}
	if err := queryparams.CheckQuery(r.URL.RawQuery); err != nil {
		return r, status.Error(codes.InvalidArgument, err.Error())
	}
	if !utf8.ValidString(r.URL.Path) {
		return r, status.Error(codes.InvalidArgument, "the path is not UTF-8")
	}
	return withBody(r)
}

// nameSpan names the span of a request by the contract's path.
func nameSpan(ctx context.Context, r *http.Request) metadata.MD {
	if path, ok := runtime.HTTPPathPattern(ctx); ok {
		span := trace.SpanFromContext(ctx)
		span.SetName(r.Method + " " + path)
		span.SetAttributes(semconv.HTTPRoute(path))
	}
	return nil
}

// traceHeaders are the headers of the trace context.
var traceHeaders = []string{"traceparent", "tracestate", "baggage"}

// matchHeader passes the trace context on, and nothing else of a caller's own;
// the mux adds Authorization and X-Forwarded-*.
func matchHeader(name string) (string, bool) {
	name = strings.ToLower(name)
	return name, slices.Contains(traceHeaders, name)
}
