package s3server

import (
	"context"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// steady is a backend without some faults of versitygw's own.
type steady struct{ backend.Backend }

// PutObject stores an object, and reads the request to its end. versitygw does
// not when the object is empty: what it leaves, the last chunk of a signed body,
// it then takes for the connection's next request.
func (s steady) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	out, err := s.Backend.PutObject(ctx, in)
	if err == nil && in.Body != nil {
		_, err = io.Copy(io.Discard, in.Body)
	}
	return out, err
}

// readTries is how often a read may meet an overwrite.
const readTries = 20

// GetObject reads an object without mixing versions. versitygw reads an object's
// ETag and conditions by its name, and then opens the name for the content: an
// overwrite in between gives the old ETag with the new content. If the name has
// the same ETag still after that, both were of one version; else it reads again.
func (s steady) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	for range readTries {
		out, err := s.Backend.GetObject(ctx, in)
		if err != nil || out.Body == nil {
			return out, err
		}
		head, err := s.Backend.HeadObject(ctx, &s3.HeadObjectInput{Bucket: in.Bucket, Key: in.Key})
		if err == nil && deref(head.ETag) == deref(out.ETag) {
			return out, nil
		}
		out.Body.Close()
	}
	return nil, s3err.GetAPIError(s3err.ErrSlowDown) // clients try again
}
