package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
)

// ended tells whether an error is only the end of a job's context. The time-out
// of a store or a backend is not: it is in the chain of an Unavailable.
func ended(err error) bool {
	var e *functions.Error
	return !errors.As(err, &e) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// explain gives an error of the store its kind and words for the caller. limit names
// the most that is read.
func explain(err error, field string, at location, limit string) error {
	if err == nil {
		return nil
	}
	var e *functions.Error
	switch {
	case errors.Is(err, objects.ErrNotFound):
		e = functions.Errorf(functions.NotFound, field, "no object %q in bucket %q", at.key, at.bucket)
	case errors.Is(err, objects.ErrChanged):
		e = functions.Errorf(functions.NotFound, field, "object %q in bucket %q is no longer the version asked for", at.key, at.bucket)
	case errors.Is(err, objects.ErrTooLarge):
		e = functions.Errorf(functions.Invalid, field, "object %q is larger than %s", at.key, limit)
	case errors.Is(err, objects.ErrInvalidName):
		e = functions.Errorf(functions.Invalid, field, "the store can hold no object %q in bucket %q", at.key, at.bucket)
	case errors.Is(err, objects.ErrUnavailable):
		e = functions.Errorf(functions.Unavailable, "", "the object store does not answer")
	default:
		return err
	}
	e.Cause = err
	return e
}

// pictureError makes a picture's own fault an Invalid one of the field that the
// picture came in.
func (p *plan) pictureError(err error) error {
	var input *imaging.InputError
	if !errors.As(err, &input) {
		return err
	}
	e := functions.Errorf(functions.Invalid, p.imageField(), "%s", input.Reason)
	e.Cause = err
	return e
}

// imageField returns the field of the request that the image came in.
func (p *plan) imageField() string {
	if p.source.key != "" {
		return "input_image"
	}
	return "input_bytes"
}

// panicked logs a panic and makes it an error that gives nothing away.
func panicked(ctx context.Context, processor string, cause any) error {
	slog.ErrorContext(ctx, "panic in a job", "processor", processor, "panic", cause, "stack", string(debug.Stack()))
	return functions.AsError(fmt.Errorf("panic: %v", cause))
}
