package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"imageflow.dev/internal/rules"
)

// answerRouting answers a wrong method with 405 Method Not Allowed and the methods that the path supports; by default,
// the mux answers 501.
func answerRouting(
	ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int,
) {
	if code != http.StatusMethodNotAllowed {
		runtime.DefaultRoutingErrorHandler(ctx, mux, m, w, r, code)
		return
	}
	if w.Header().Get("Allow") == "" && !isProbe(r) {
		w.Header().Set("Allow", allowedMethods(mux, r))
	}
	answerError(ctx, mux, m, w, r, &runtime.HTTPStatusError{
		HTTPStatus: code, Err: status.Errorf(codes.Unimplemented, "%s does not support the method %s", r.URL.Path, r.Method),
	})
}

// answerError writes the google.rpc.Status as the body, and a suggested retry delay
// also as a header.
func answerError(
	ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error,
) {
	err = formError(ctx, decodeError(ctx, queryError(sanitizeStatus(status.Convert(err), err))))
	err = limitError(ctx, err)
	if isTooLarge(err) {
		err = &runtime.HTTPStatusError{HTTPStatus: http.StatusRequestEntityTooLarge, Err: err}
	}
	for _, detail := range status.Convert(err).Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			seconds := int(retry.GetRetryDelay().AsDuration().Round(time.Second) / time.Second)
			w.Header().Set("Retry-After", strconv.Itoa(max(seconds, 1)))
		}
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, err)
}

// sanitizeStatus replaces the errors that grpc itself makes: they name addresses inside
// the cluster, and use ResourceExhausted for a message that is too large. A processor
// that is busy always adds a retry delay.
func sanitizeStatus(s *status.Status, err error) error {
	switch {
	case len(s.Details()) > 0:
		return err
	case s.Code() == codes.DeadlineExceeded:
		return status.Error(codes.DeadlineExceeded, "no answer in time")
	case s.Code() == codes.Unavailable:
		return unavailable("the processor does not answer")
	case s.Code() == codes.ResourceExhausted:
		return status.Error(codes.InvalidArgument, "the request or its answer is larger than the processor accepts")
	}
	return err
}

// unavailable returns an Unavailable error with a retry delay, as the processors do.
func unavailable(message string) error {
	return withDetail(status.New(codes.Unavailable, message), &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
}

// invalid returns an InvalidArgument error about a field, as the processors do.
func invalid(field, reason string) error {
	return withDetail(status.New(codes.InvalidArgument, field+": "+reason), rules.BadRequest(field, reason))
}

// outside refuses an object that READ_FROM does not contain, with the text of the
// processors.
func outside(field, bucket string) error {
	return invalid(field, fmt.Sprintf("bucket %.64q, or this part of it, is not in READ_FROM", bucket))
}

func withDetail(s *status.Status, detail protoadapt.MessageV1) error {
	if with, err := s.WithDetails(detail); err == nil {
		s = with
	}
	return s.Err()
}

// violation returns an error about one violated rule of the message at a field path,
// which may be empty.
func violation(at string, err error) error {
	v, ok := rules.Reported(err)
	if !ok {
		return status.Error(codes.Internal, "internal error")
	}
	field := strings.Trim(at+"."+v.Field, ".")
	if field != "" {
		return invalid(field, v.Message)
	}
	s := status.New(codes.InvalidArgument, v.Message)
	if details := rules.BadRequest("", v.Message); details != nil {
		return withDetail(s, details)
	}
	return s.Err()
}
