package s3server

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3response"
)

// notifying is a backend that tells of new objects before it answers for them,
// as MinIO does without a queue: whoever has the answer to a put knows that its
// event is on the way. Deletions, tags and the like are not told of.
type notifying struct {
	backend.Backend
	posts            *posts
	address, account string
}

// PutObject stores an object and tells of it. versitygw calls it for the upload
// of an HTML form too, which MinIO names by its own name.
func (n *notifying) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	out, err := n.Backend.PutObject(ctx, in)
	if err != nil || !n.posts.wanted(*in.Bucket) {
		return out, err
	}
	size := deref(in.ContentLength)
	if out.Size != nil {
		size = *out.Size
	}
	how := "Put"
	if r, ok := ctx.(interface{ Method() []byte }); ok && string(r.Method()) == "POST" {
		how = "Post"
	}
	// Told from what was written, not from what is there by now: another put
	// may have come between, and tells of itself.
	n.created(ctx, how, *in.Bucket, *in.Key, facts{size: size, etag: out.ETag, contentType: deref(in.ContentType), metadata: in.Metadata})
	return out, nil
}

// CopyObject copies an object and tells of the copy.
func (n *notifying) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	out, err := n.Backend.CopyObject(ctx, in)
	if err == nil {
		n.createdAsFound(ctx, "Copy", *in.Bucket, *in.Key)
	}
	return out, err
}

// CompleteMultipartUpload joins the parts of an object and tells of it.
func (n *notifying) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (
	s3response.CompleteMultipartUploadResult, string, error,
) {
	out, version, err := n.Backend.CompleteMultipartUpload(ctx, in)
	if err == nil {
		n.createdAsFound(ctx, "CompleteMultipartUpload", *in.Bucket, *in.Key)
	}
	return out, version, err
}

// createdAsFound tells of a new object that is described by the store alone.
func (n *notifying) createdAsFound(ctx context.Context, how, bucket, key string) {
	if !n.posts.wanted(bucket) {
		return
	}
	head, err := n.Backend.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil { // gone again
		n.posts.logger.Warn("a new object could not be looked at and is not told of", "bucket", bucket, "key", key, "error", err)
		return
	}
	n.created(ctx, how, bucket, key, facts{
		size: deref(head.ContentLength), etag: deref(head.ETag), contentType: deref(head.ContentType), metadata: head.Metadata,
	})
}

func (n *notifying) created(ctx context.Context, how, bucket, key string, f facts) {
	n.posts.send(bucket+"/"+key, notification(callerOf(ctx, n.address, n.account), how, bucket, key, f))
}

// deref returns what p points to, or a zero value.
func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
