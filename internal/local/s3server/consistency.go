package s3server

import (
	"context"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// consistent is a backend that works around six faults of versitygw: unread
// uploads, reads that mix versions, keys that XML cannot hold, listings of few objects
// that read a whole folder, pages of versions that repeat a key, and pages of multipart
// uploads that nothing can follow.
type consistent struct {
	backend.Backend
	posix *posix.Posix
}

// PutObject stores an object and reads the request body to its end. versitygw does
// not when the object is empty: it then takes the last chunk of a signed body for the
// next request of the connection.
func (c consistent) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	out, err := c.Backend.PutObject(ctx, in)
	if err == nil && in.Body != nil {
		_, err = io.Copy(io.Discard, in.Body)
	}
	return out, err
}

// maxReadTries bounds how often a read that meets an overwrite is repeated.
const maxReadTries = 20

// GetObject reads one version of an object. versitygw reads the ETag by the
// object's file name and then opens the file: an overwrite in between returns the old
// ETag with the new content. If ETag and time are still the same after the file was
// opened, both belong to one version. Otherwise GetObject reads again.
func (c consistent) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	for range maxReadTries {
		out, err := c.Backend.GetObject(ctx, in)
		if err != nil || out.Body == nil {
			return out, err
		}
		head, err := c.Backend.HeadObject(ctx, &s3.HeadObjectInput{Bucket: in.Bucket, Key: in.Key})
		if err == nil && aws.ToString(head.ETag) == aws.ToString(out.ETag) &&
			aws.ToTime(head.LastModified).Equal(aws.ToTime(out.LastModified)) {
			return out, nil
		}
		out.Body.Close()
	}
	return nil, s3err.GetAPIError(s3err.ErrSlowDown) // clients retry
}
