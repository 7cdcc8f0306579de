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

// ended reports whether err is only the end of a job's context. A timeout of a store or
// a backend is not: it is the cause of an Unavailable error.
func ended(err error) bool {
	var e *functions.Error
	return !errors.As(err, &e) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// explain returns an error of the store as a functions.Error with a message for the
// caller. Limit describes the size limit of a read.
func explain(err error, field string, at location, limit string) error {
	if err == nil {
		return nil
	}
	var e *functions.Error
	switch {
	case errors.Is(err, objects.ErrNotFound):
		e = functions.Errorf(functions.NotFound, field, "no object %q in bucket %q", at.key, at.bucket)
	case errors.Is(err, objects.ErrChanged):
		e = functions.Errorf(functions.NotFound, field,
			"object %q in bucket %q is no longer the requested version", at.key, at.bucket)
	case errors.Is(err, objects.ErrTooLarge):
		e = functions.Errorf(functions.Invalid, field, "object %q is larger than %s", at.key, limit)
	case errors.Is(err, objects.ErrInvalidName):
		e = functions.Errorf(functions.Invalid, field, "the store does not support object %q in bucket %q", at.key, at.bucket)
	case errors.Is(err, objects.ErrUnavailable):
		e = functions.Errorf(functions.Unavailable, "", "the object store does not answer")
	default:
		return err
	}
	e.Cause = err
	return e
}

// imageError returns an imaging.InputError as an Invalid error of the field that the
// image came in, an imaging.TooLargeError as one of the maximum size, and an
// imaging.SelectionError as one of the frame or page. It returns other errors unchanged.
func (p *plan) imageError(err error) error {
	var large *imaging.TooLargeError
	if errors.As(err, &large) {
		return functions.Errorf(functions.Invalid, "encoding.max_bytes", "%v", large)
	}
	var selection *imaging.SelectionError
	if errors.As(err, &selection) {
		return functions.Errorf(functions.Invalid, "input_image."+selection.Field, "%v", selection)
	}
	return inputError(err, p.imageField())
}

// inputError returns an imaging.InputError as an Invalid error of a field, and other errors
// unchanged.
func inputError(err error, field string) error {
	var input *imaging.InputError
	if !errors.As(err, &input) {
		return err
	}
	return functions.Errorf(functions.Invalid, field, "%s", input.Reason)
}

// panicked logs a panic and returns an internal error that does not contain it.
func panicked(ctx context.Context, processor string, cause any) error {
	slog.ErrorContext(ctx, "panic in a job", "processor", processor, "panic", cause, "stack", string(debug.Stack()))
	return functions.AsError(fmt.Errorf("panic: %v", cause))
}
