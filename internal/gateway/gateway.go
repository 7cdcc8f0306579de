// Package gateway is the JSON door: HTTP with JSON in, gRPC out.
package gateway

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Backend is one service and a connection to it.
type Backend struct {
	Register func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error
	Conn     *grpc.ClientConn
}

// Services lists what the gateway can put before the processors, by processor.
var Services = map[string]func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
	"resize": imageflowv1.RegisterResizeServiceHandler,
	"detect": imageflowv1.RegisterAIDetectionServiceHandler,
	"filter": imageflowv1.RegisterFilterServiceHandler,
}

// New returns a handler of `/v1/...` that calls the backends. JSON has the
// field names of the contract; lowerCamelCase is read as well. A field that
// does not exist is an error.
func New(ctx context.Context, timeout time.Duration, maxBody int64, backends ...Backend) (http.Handler, error) {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions: protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true},
		}),
		runtime.WithErrorHandler(answerError),
		runtime.WithRoutingErrorHandler(answerRouting),
		runtime.WithIncomingHeaderMatcher(matchHeader),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
	)
	for _, b := range backends {
		if err := b.Register(ctx, mux, b.Conn); err != nil {
			return nil, err
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		if r.ContentLength > maxBody {
			w.Header().Set("Connection", "close") // what comes is not read
			_, marshaler := runtime.MarshalerForRequest(mux, r)
			answerError(ctx, mux, marshaler, w, r, status.Errorf(codes.InvalidArgument,
				"a body of %d bytes: no more than %d are taken", r.ContentLength, maxBody))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		mux.ServeHTTP(w, r.WithContext(ctx))
	}), nil
}

// matchHeader passes the trace context on, and nothing else of a caller's own;
// the mux adds Authorization and X-Forwarded-*.
func matchHeader(name string) (string, bool) {
	switch name = strings.ToLower(name); name {
	case "traceparent", "tracestate", "baggage":
		return name, true
	}
	return "", false
}

// answerRouting tells of a wrong method as HTTP does; the mux by itself calls it
// unimplemented.
func answerRouting(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	if code != http.StatusMethodNotAllowed {
		runtime.DefaultRoutingErrorHandler(ctx, mux, m, w, r, code)
		return
	}
	answerError(ctx, mux, m, w, r, &runtime.HTTPStatusError{
		HTTPStatus: code, Err: status.Errorf(codes.Unimplemented, "%s is not answered with %s", r.URL.Path, r.Method),
	})
}

// answerError writes the google.rpc.Status as the body, and what a refusal asks
// its caller to wait as a header too.
func answerError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	s := status.Convert(err)
	for _, detail := range s.Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			seconds := int(retry.GetRetryDelay().AsDuration().Round(time.Second) / time.Second)
			w.Header().Set("Retry-After", strconv.Itoa(max(seconds, 1)))
		}
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, inOurWords(s, err))
}

// inOurWords replaces what grpc says by itself, which names addresses inside the
// cluster, or calls a message busy that is too large. A processor that refuses
// for a while always says for how long.
func inOurWords(s *status.Status, err error) error {
	switch {
	case s.Code() == codes.DeadlineExceeded:
		return status.Error(codes.DeadlineExceeded, "no answer in time")
	case len(s.Details()) > 0:
		return err
	case s.Code() == codes.Unavailable:
		return status.Error(codes.Unavailable, "the processor does not answer")
	case s.Code() == codes.ResourceExhausted:
		return status.Error(codes.InvalidArgument, "the request or its answer is larger than the processor takes")
	}
	return err
}
