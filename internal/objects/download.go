package objects

import (
	"context"
	"fmt"
	"io"
)

// Download writes an object of the given size to w, without holding it in memory. If etag is not empty
// and the object has another ETag, or if it has another size, the error is ErrChanged. After an error, w
// may have a part of the object.
func (s *Store) Download(ctx context.Context, bucket, key, etag string, size int64, w io.Writer) error {
	opts, err := getOptions(bucket, key, etag)
	if err != nil {
		return err
	}
	ctx, end := s.begin(ctx)
	defer end()
	body, info, _, err := s.core.GetObject(ctx, bucket, key, opts)
	if err != nil {
		return explain(ctx, err, "download", bucket, key)
	}
	defer body.Close()
	if info.Size != size {
		return fmt.Errorf("download %s/%s: %d bytes, not %d: %w", bucket, key, info.Size, size, ErrChanged)
	}
	to := &writeErrors{w: w}
	if _, err := io.CopyN(to, body, size); err != nil && to.err == nil {
		return explain(ctx, err, "download", bucket, key)
	}
	return to.err
}

// writeErrors keeps the error of a writer apart from those of the store.
type writeErrors struct {
	w   io.Writer
	err error
}

func (w *writeErrors) Write(data []byte) (int, error) {
	n, err := w.w.Write(data)
	w.err = err
	return n, err
}
