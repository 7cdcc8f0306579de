package s3server

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3response"
)

// notifying is a backend that notifies the webhook of a new object before it answers
// the request, as MinIO without a queue does: when a client has the response to a
// put, the notification has been sent. Deletions and tags are not notified.
type notifying struct {
	backend.Backend
	webhook          *webhook
	address, account string
}

// PutObject stores an object and notifies the webhook. versitygw also calls it for
// the upload of an HTML form, which MinIO reports as "Post".
func (n *notifying) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	how := "Put"
	if r, ok := ctx.(interface{ Method() []byte }); ok && string(r.Method()) == "POST" {
		how = "Post"
	}
	if how == "Post" && strings.Contains(*in.Key, "${filename}") {
		return s3response.PutObjectOutput{}, errFilename
	}
	out, err := n.Backend.PutObject(ctx, in)
	if err != nil || !n.webhook.wants(*in.Bucket) {
		return out, err
	}
	size := aws.ToInt64(in.ContentLength)
	if out.Size != nil {
		size = *out.Size
	}
	// The notification describes the object as it was written. A later put may have
	// replaced it already, and sends its own notification.
	n.created(ctx, how, *in.Bucket, *in.Key, objectInfo{
		size: size, etag: out.ETag, contentType: aws.ToString(in.ContentType), metadata: in.Metadata,
	})
	return out, nil
}

// CopyObject copies an object and notifies the webhook of the copy.
func (n *notifying) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	out, err := n.Backend.CopyObject(ctx, in)
	if err == nil {
		n.createdAsStored(ctx, "Copy", *in.Bucket, *in.Key)
	}
	return out, err
}

// CompleteMultipartUpload joins the parts of an object and notifies the webhook.
func (n *notifying) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (
	s3response.CompleteMultipartUploadResult, string, error,
) {
	out, version, err := n.Backend.CompleteMultipartUpload(ctx, in)
	if err == nil {
		n.createdAsStored(ctx, "CompleteMultipartUpload", *in.Bucket, *in.Key)
	}
	return out, version, err
}

// createdAsStored notifies the webhook of a new object whose size, ETag and metadata
// it reads from the store.
func (n *notifying) createdAsStored(ctx context.Context, how, bucket, key string) {
	if !n.webhook.wants(bucket) {
		return
	}
	head, err := n.Backend.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil { // the object was deleted in the meantime
		n.webhook.logger.Warn("notification dropped: new object cannot be read", "bucket", bucket, "key", key, "error", err)
		return
	}
	n.created(ctx, how, bucket, key, objectInfo{
		size: aws.ToInt64(head.ContentLength), etag: aws.ToString(head.ETag),
		contentType: aws.ToString(head.ContentType), metadata: head.Metadata,
	})
}

func (n *notifying) created(ctx context.Context, how, bucket, key string, o objectInfo) {
	if n.webhook.ignores(bucket, key, o) {
		return
	}
	n.webhook.send(bucket+"/"+key, notification(callerOf(ctx, n.address, n.account), how, bucket, key, o))
}
