package job

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"imageflow.dev/functions"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/rules"
)

// defaultRetryDelay is the retry delay of retryable errors that have none.
const defaultRetryDelay = time.Second

// codeOf maps the kinds of errors to gRPC codes.
var codeOf = map[functions.Kind]codes.Code{
	functions.Internal:    codes.Internal,
	functions.Invalid:     codes.InvalidArgument,
	functions.NotFound:    codes.NotFound,
	functions.Busy:        codes.ResourceExhausted,
	functions.Unavailable: codes.Unavailable,
}

// Status returns the gRPC status for an error of Run, which all protocols use. The code
// follows from the kind. The field and the retry delay are details. The cause, which
// callers must not see, is logged here.
func Status(ctx context.Context, err error) *status.Status {
	if ended(err) {
		return status.FromContextError(err)
	}
	e := functions.AsError(err)
	if e.Cause != nil {
		slog.WarnContext(ctx, "job failed", "kind", e.Kind.String(), "error", e)
	}
	message := e.Message
	if e.Field != "" {
		message = e.Field + ": " + message
	}
	s := status.New(codeOf[e.Kind], message)
	if with, err := s.WithDetails(details(err, e)...); err == nil {
		return with
	}
	return s
}

// details returns the details of the status for an error, which contains e.
func details(err error, e *functions.Error) (all []protoadapt.MessageV1) {
	switch {
	case errors.Is(err, ErrSuperseded):
		return append(all, &errdetails.ErrorInfo{Reason: events.ReasonSuperseded, Domain: events.ErrorDomain})
	case e.Kind == functions.Busy || e.Kind == functions.Unavailable:
		return append(all, &errdetails.RetryInfo{RetryDelay: durationpb.New(cmp.Or(e.RetryAfter, defaultRetryDelay))})
	case errors.Is(err, errTooLarge):
		all = append(all, &errdetails.ErrorInfo{Reason: events.ReasonTooLarge, Domain: events.ErrorDomain})
	}
	if fields := rules.BadRequest(e.Field, e.Message); fields != nil && (e.Field != "" || e.Kind == functions.Invalid) {
		all = append(all, fields)
	}
	return all
}
