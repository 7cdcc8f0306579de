package objects

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
)

// steady is a backend whose reads mix no versions. versitygw reads an object's
// ETag and conditions by its name, and then opens the name for the content: an
// overwrite in between gives the old ETag with the new content. If the name has
// the same ETag still after that, both were of one version.
type steady struct{ backend.Backend }

// readTries is how often a read may meet an overwrite.
const readTries = 20

// GetObject reads an object, again when it was overwritten meanwhile.
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
