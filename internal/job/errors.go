package job

import (
	"errors"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
)

// explain gives an error of the store its kind and words for the caller.
func (r *Runner[Req, Resp]) explain(err error, field, bucket, key string) error {
	if err == nil {
		return nil
	}
	var e *functions.Error
	switch {
	case errors.Is(err, objects.ErrNotFound):
		e = functions.Errorf(functions.NotFound, field, "no object %q in bucket %q", key, bucket)
	case errors.Is(err, objects.ErrChanged):
		e = functions.Errorf(functions.NotFound, field, "object %q in bucket %q is no longer the version asked for", key, bucket)
		err = errors.Join(ErrSuperseded, err)
	case errors.Is(err, objects.ErrTooLarge):
		e = functions.Errorf(functions.Invalid, field, "object %q is larger than %d bytes", key, r.config.MaxObjectBytes)
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
func pictureError(err error, plan *plan) error {
	var input *imaging.InputError
	if !errors.As(err, &input) {
		return err
	}
	field := "input_bytes"
	if plan.key != "" {
		field = "input_image"
	}
	e := functions.Errorf(functions.Invalid, field, "%s", input.Reason)
	e.Cause = err
	return e
}
