package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Reader reads a version of an object from any place. It asks the store for nothing until the first Read, and then
// for what is left from there. It must be closed.
type Reader struct {
	// Err is the first error of a Read that was not io.EOF.
	Err error

	ctx    context.Context
	store  *Store
	info   Info
	offset int64
	body   io.ReadCloser
	end    context.CancelFunc
}

// Open returns a Reader of the version that info describes. Reads fail with ErrChanged if it was replaced.
func (s *Store) Open(ctx context.Context, info Info) *Reader {
	return &Reader{ctx: ctx, store: s, info: info}
}

// Seek implements io.Seeker.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.offset
	case io.SeekEnd:
		offset += r.info.Size
	}
	if offset < 0 {
		return r.offset, errors.New("seek before the start of an object")
	}
	if offset != r.offset {
		r.Close()
	}
	r.offset = offset
	return offset, nil
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (n int, err error) {
	if r.offset >= r.info.Size {
		return 0, io.EOF
	}
	if r.body == nil {
		err = r.request()
	}
	if err == nil {
		n, err = r.body.Read(p)
		r.offset += int64(n)
		if err != nil && r.offset >= r.info.Size {
			err = nil
		}
		err = explain(r.ctx, err, "read", r.info.Bucket, r.info.Key)
	}
	if r.Err == nil {
		r.Err = err
	}
	return n, err
}

// request asks the store for the object from the offset.
func (r *Reader) request() error {
	opts, err := getOptions(r.info.Bucket, r.info.Key, r.info.ETag)
	if err == nil && r.offset > 0 {
		err = opts.SetRange(r.offset, 0)
	}
	if err != nil {
		return err
	}
	ctx, end := r.store.begin(r.ctx)
	body, info, _, err := r.store.core.GetObject(ctx, r.info.Bucket, r.info.Key, opts)
	if err == nil && info.Size != r.info.Size-r.offset {
		body.Close()
		err = fmt.Errorf("%d bytes, not %d: %w", info.Size, r.info.Size-r.offset, ErrUnavailable)
	}
	if err != nil {
		end()
		return explain(ctx, err, "get", r.info.Bucket, r.info.Key)
	}
	r.body, r.end = body, end
	return nil
}

// Close ends the request to the store, if there is one.
func (r *Reader) Close() error {
	if r.body == nil {
		return nil
	}
	body := r.body
	r.end()
	r.body = nil
	return body.Close()
}
