package objects

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/minio/minio-go/v7"
)

// prefixTimeout bounds GetPrefix.
const prefixTimeout = 5 * time.Second

// GetPrefix reads at most the first n bytes of an object. If etag is not empty and
// the object has another ETag, the error is ErrChanged.
func (s *Store) GetPrefix(ctx context.Context, bucket, key, etag string, n int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, prefixTimeout)
	defer cancel()
	ctx, end := s.begin(ctx)
	defer end()
	opts, err := getOptions(bucket, key, etag)
	if err != nil {
		return nil, err
	}
	if err := opts.SetRange(0, n-1); err != nil {
		return nil, err
	}
	body, _, _, err := s.core.GetObject(ctx, bucket, key, opts)
	switch code := minio.ToErrorResponse(err).StatusCode; {
	case code == http.StatusRequestedRangeNotSatisfiable: // the object is empty
		return nil, nil
	case code == http.StatusForbidden: // may be about this object only: not ErrUnavailable
		return nil, fmt.Errorf("get prefix of %s/%s: %w", bucket, key, err)
	case err != nil:
		return nil, explain(ctx, err, "get prefix of", bucket, key)
	}
	defer body.Close()
	prefix, err := io.ReadAll(io.LimitReader(body, n))
	if err != nil {
		return nil, explain(ctx, err, "get prefix of", bucket, key)
	}
	return prefix, nil
}

// getOptions returns the options to read an object, or only its version etag.
func getOptions(bucket, key, etag string) (opts minio.GetObjectOptions, err error) {
	if strings.ContainsFunc(etag, unicode.IsControl) { // not valid in a header: no version has it
		return opts, fmt.Errorf("get %s/%s with etag %q: %w", bucket, key, etag, ErrChanged)
	}
	if etag != "" {
		err = opts.SetMatchETag(etag)
	}
	return opts, err
}
