package job

import (
	"context"
	"errors"

	"imageflow.dev/internal/objects"
)

// source is the input object of a job, in the version that was fetched. Without a key,
// the input was part of the request, and all checks succeed.
type source struct {
	store *objects.Store
	at    location
	etag  string
}

// checkExists returns NotFound if the object was deleted. It returns nil if the object
// was replaced or the store does not answer.
func (s source) checkExists(ctx context.Context) error {
	if s.at.key == "" {
		return nil
	}
	_, err := s.store.Stat(ctx, s.at.bucket, s.at.key)
	if errors.Is(err, objects.ErrNotFound) {
		return explain(err, "input_image", s.at, "")
	}
	return nil
}

// checkUnchanged returns ErrSuperseded if the object is no longer the version that was
// fetched.
func (s source) checkUnchanged(ctx context.Context) error {
	if s.at.key == "" {
		return nil
	}
	info, err := s.store.Stat(ctx, s.at.bucket, s.at.key)
	if err == nil && info.ETag != s.etag {
		err = errors.Join(ErrSuperseded, objects.ErrChanged)
	}
	return explain(err, "input_image", s.at, "")
}
