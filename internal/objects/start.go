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

// startTimeout bounds a Start.
const startTimeout = 5 * time.Second

// Start reads at most the first n bytes of an object. With an etag it demands
// that version and fails with ErrChanged for any other.
func (s *Store) Start(ctx context.Context, bucket, key, etag string, n int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ctx, end := s.begin(ctx)
	defer end()
	var opts minio.GetObjectOptions
	if err := opts.SetRange(0, n-1); err != nil {
		return nil, err
	}
	if strings.ContainsFunc(etag, unicode.IsControl) { // fits in no header, so no version has it
		return nil, fmt.Errorf("start of %s/%s with etag %q: %w", bucket, key, etag, ErrChanged)
	}
	if etag != "" {
		if err := opts.SetMatchETag(etag); err != nil {
			return nil, err
		}
	}
	body, _, _, err := s.core.GetObject(ctx, bucket, key, opts)
	switch code := minio.ToErrorResponse(err).StatusCode; {
	case code == http.StatusRequestedRangeNotSatisfiable: // it is empty
		return nil, nil
	case code == http.StatusForbidden: // perhaps this object alone, so the store is not away
		return nil, fmt.Errorf("start of %s/%s: %w", bucket, key, err)
	case err != nil:
		return nil, explain(ctx, err, "start of", bucket, key)
	}
	defer body.Close()
	start, err := io.ReadAll(io.LimitReader(body, n))
	if err != nil {
		return nil, explain(ctx, err, "start of", bucket, key)
	}
	return start, nil
}
