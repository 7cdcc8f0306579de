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
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		mux.ServeHTTP(w, r.WithContext(ctx))
	}), nil
}

// matchHeader passes the trace context on, and nothing else.
func matchHeader(name string) (string, bool) {
	switch name = strings.ToLower(name); name {
	case "traceparent", "tracestate", "baggage":
		return name, true
	}
	return "", false
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
	if s.Code() == codes.Unavailable && len(s.Details()) == 0 && strings.HasPrefix(s.Message(), "connection error") {
		// grpc's own words name addresses inside the cluster.
		err = status.Error(codes.Unavailable, "the processor does not answer")
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, err)
}
