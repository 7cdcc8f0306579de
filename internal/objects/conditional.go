package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
)

// PutOver replaces the version of an object that has this etag. An empty etag means
// that the object must not exist yet. If the condition is false, the error is
// ErrChanged.
func (s *Store) PutOver(
	ctx context.Context, etag, bucket, key, contentType string, data []byte, metadata map[string]string,
) (Info, error) {
	if s.plainWrites {
		if err := s.checkReplaceable(ctx, etag, bucket, key); err != nil {
			return Info{}, err
		}
		return s.Put(ctx, bucket, key, contentType, data, metadata)
	}
	o := minio.PutObjectOptions{ContentType: contentType}
	if etag == "" {
		o.SetMatchETagExcept("*")
	} else {
		o.SetMatchETag(etag)
	}
	info, err := s.put(ctx, bucket, key, data, o, metadata)
	err = explainUnsupported(err, "conditional writes", withoutConditions)
	if etag != "" && errors.Is(err, ErrNotFound) { // some stores return 404 when the object was deleted
		err = fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return info, err
}

// checkReplaceable returns ErrChanged unless the object has this etag, or does not exist if etag is empty.
func (s *Store) checkReplaceable(ctx context.Context, etag, bucket, key string) error {
	_, err := s.checkVersion(ctx, bucket, key, etag)
	switch {
	case etag == "" && err == nil:
		return fmt.Errorf("%s/%s exists: %w", bucket, key, ErrChanged)
	case etag == "" && errors.Is(err, ErrNotFound):
		return nil
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return err
}

// checkVersion returns the description of an object, or ErrChanged if etag is not empty and the object has
// another ETag.
func (s *Store) checkVersion(ctx context.Context, bucket, key, etag string) (Info, error) {
	info, err := s.Stat(ctx, bucket, key)
	if err == nil && etag != "" && info.ETag != etag {
		err = fmt.Errorf("%s/%s with etag %q: %w", bucket, key, etag, ErrChanged)
	}
	return info, err
}

// RemoveVersion deletes an object if it has this etag. Otherwise the error is
// ErrChanged, or ErrNotFound if the object does not exist. S3 and versitygw delete
// conditionally. MinIO does not: there the ETag is only checked just before.
func (s *Store) RemoveVersion(ctx context.Context, bucket, key, etag string) error {
	if _, err := s.checkVersion(ctx, bucket, key, etag); err != nil {
		return err
	}
	if s.plainWrites {
		return s.Remove(ctx, bucket, key)
	}
	ctx, end := s.begin(ctx)
	defer end()
	header := http.Header{"If-Match": {`"` + etag + `"`}}
	address, err := s.core.PresignHeader(ctx, http.MethodDelete, bucket, key, time.Minute, nil, header)
	if err != nil {
		return explain(ctx, err, "remove", bucket, key)
	}
	r := (&http.Request{Method: http.MethodDelete, URL: address, Host: address.Host, Header: header}).WithContext(ctx)
	response, err := progressTransport{s.transport}.RoundTrip(r)
	if err != nil {
		return explain(ctx, err, "remove", bucket, key)
	}
	defer response.Body.Close()
	if response.StatusCode < 300 || response.StatusCode == http.StatusNotFound {
		return nil
	}
	err = explain(ctx, minio.ErrorResponse{StatusCode: response.StatusCode, Code: response.Status}, "remove", bucket, key)
	return explainUnsupported(err, "conditional deletions", withoutConditions)
}

// The settings for stores that lack a feature.
const (
	withoutTags          = "STORE_TAGS=false"
	withoutConditions    = "STORE_CONDITIONAL_WRITES=false"
	withoutNotifications = "STORE_NOTIFICATIONS=false"
)

// explainUnsupported makes the error of a request that the store does not implement ErrUnsupported, and names
// the setting that avoids such requests.
func explainUnsupported(err error, feature, setting string) error {
	var response minio.ErrorResponse
	if !errors.As(err, &response) {
		return err
	}
	if code := response.StatusCode; code != http.StatusNotImplemented && code != http.StatusMethodNotAllowed {
		return err
	}
	return fmt.Errorf("%w: %s; set %s: %w", ErrUnsupported, feature, setting, err)
}
