package s3server

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// authorized is a backend that denies requests for which allow returns false.
// versitygw calls GetBucketAcl before every operation in a bucket.
type authorized struct {
	backend.Backend
	allow func(*http.Request) bool
}

func (a authorized) check(ctx context.Context) error {
	from, ok := ctx.(*fasthttp.RequestCtx)
	if !ok || a.allow == nil {
		return nil
	}
	r := &http.Request{Host: string(from.Host()), Header: http.Header{}}
	for name, value := range from.Request.Header.All() {
		r.Header.Add(string(name), string(value))
	}
	if a.allow(r) {
		return nil
	}
	return s3err.GetAPIError(s3err.ErrAccessDenied)
}

// GetBucketAcl returns the ACL of a bucket.
func (a authorized) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	if err := a.check(ctx); err != nil {
		return nil, err
	}
	return a.Backend.GetBucketAcl(ctx, in)
}

// ListBuckets lists the buckets.
func (a authorized) ListBuckets(ctx context.Context, in s3response.ListBucketsInput) (s3response.ListAllMyBucketsResult, error) {
	if err := a.check(ctx); err != nil {
		return s3response.ListAllMyBucketsResult{}, err
	}
	return a.Backend.ListBuckets(ctx, in)
}

// CreateBucket creates a bucket. All buckets belong to the one account, also those
// that existed at the start and have no recorded owner.
func (a authorized) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	if err := a.check(ctx); err != nil {
		return err
	}
	if _, err := a.Backend.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: in.Bucket}); err == nil {
		return s3err.GetBucketErr(s3err.ErrBucketAlreadyOwnedByYou, *in.Bucket)
	}
	return a.Backend.CreateBucket(ctx, in, acl)
}
