// Package gateway translates HTTP with JSON to gRPC calls of the processors.
package gateway

import (
	"context"
	"maps"
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
	// Streams are handlers of GET without a time limit, by path, such as `/v1/executions:watch`.
	Streams map[string]http.Handler
}

// answerJSON is the form of all answers in JSON: with the names of the contract, and with the zeros and empty lists, but
// without null for a message that is not set.
var answerJSON = protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}

// marshaler is the marshaler of all requests and answers, whatever their types.
var marshaler = bodyMarshaler{&runtime.HTTPBodyMarshaler{Marshaler: &runtime.JSONPb{MarshalOptions: answerJSON}}}

// New returns a handler for `/v1/...`, which calls the backends, and for the documents. JSON has the field names of the
// contract; requests may also use lowerCamelCase, or be forms with a file (see form). An unknown field is an error.
// timeout bounds a request, and maxBody its body in bytes.
func New(ctx context.Context, timeout time.Duration, maxBody int64, backends ...Backend) (http.Handler, error) {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, marshaler),
		runtime.WithMetadata(nameSpan),
		runtime.SetQueryParameterParser(strictQuery{}),
		runtime.WithForwardResponseOption(setImageHeaders),
		runtime.WithForwardResponseRewriter(answerImage),
		runtime.WithErrorHandler(answerError),
		runtime.WithRoutingErrorHandler(answerRouting),
		runtime.WithIncomingHeaderMatcher(matchHeader),
		runtime.WithMiddlewares(skipProbes, checkNoQuery(withoutParameters())),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
	)
	for path, document := range documents {
		if err := mux.HandlePath(http.MethodGet, path, document.serve); err != nil {
			return nil, err
		}
	}
	streams := map[string]http.Handler{}
	for _, b := range backends {
		if err := b.Register(ctx, mux, b.Conn); err != nil {
			return nil, err
		}
		for path, handler := range b.Streams {
			streams[path] = checked(mux, maxBody, handler)
		}
	}
	other := answerHead(compress(limitConcurrency(mux, bound(mux, timeout, maxBody))))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch handler := streams[r.URL.Path]; {
		case handler == nil:
			other.ServeHTTP(w, r)
		case r.Method == http.MethodGet:
			handler.ServeHTTP(w, r)
		default:
			w.Header().Set("Allow", http.MethodGet)
			answerRouting(r.Context(), mux, marshaler, w, r, http.StatusMethodNotAllowed)
		}
	}), nil
}

// bound limits the time and the size of requests.
func bound(mux *runtime.ServeMux, timeout time.Duration, maxBody int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		checked(mux, maxBody, mux).ServeHTTP(w, r.WithContext(ctx))
	})
}

// checked passes requests to next that pass checkRequest.
func checked(mux *runtime.ServeMux, maxBody int64, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		r, err := checkRequest(r, maxBody)
		if err != nil {
			if r.ProtoMajor == 1 { // in HTTP/2 it would end the connection before the caller has read the answer
				w.Header().Set("Connection", "close") // the body is not read
			}
			answerError(r.Context(), mux, marshaler, w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkRequest makes the checks that need no body, and prepares the body for its
// decoder.
func checkRequest(r *http.Request, maxBody int64) (*http.Request, error) {
	if r.ContentLength > maxBody {
		return r, tooLarge("the body has %d bytes; the limit is %d bytes", r.ContentLength, maxBody)
	}
	if err := queryparams.CheckQuery(r.URL.RawQuery); err != nil {
		return r, status.Error(codes.InvalidArgument, err.Error())
	}
	if !utf8.ValidString(r.URL.Path) {
		return r, status.Error(codes.InvalidArgument, "the path is not UTF-8")
	}
	r, err := withBody(r)
	return withoutType(r), err
}

// withoutType returns a request without its content type, which withBody has read. A mux, whose marshaler is the same for
// all types, would log each type that it cannot parse.
func withoutType(r *http.Request) *http.Request {
	r = r.WithContext(r.Context())
	r.Header = maps.Clone(r.Header)
	r.Header.Del("Content-Type")
	return r
}

// nameSpan sets the name of the span of a request to the path in the contract.
func nameSpan(ctx context.Context, r *http.Request) metadata.MD {
	if path, ok := runtime.HTTPPathPattern(ctx); ok {
		span := trace.SpanFromContext(ctx)
		span.SetName(r.Method + " " + path)
		span.SetAttributes(semconv.HTTPRoute(path))
	}
	return nil
}

// traceHeaders are the headers of the trace context and its baggage.
var traceHeaders = []string{"traceparent", "tracestate", "baggage"}

// matchHeader forwards only the trace headers of the caller. The mux adds Authorization
// and X-Forwarded-*.
func matchHeader(name string) (string, bool) {
	name = strings.ToLower(name)
	return name, slices.Contains(traceHeaders, name)
}
