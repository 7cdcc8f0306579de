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

// guarded is a backend that refuses requests which allow does not let in.
// versitygw asks for a bucket's ACL before everything that it does in a bucket.
type guarded struct {
	backend.Backend
	allow func(*http.Request) bool
}

func (g guarded) check(ctx context.Context) error {
	from, ok := ctx.(*fasthttp.RequestCtx)
	if !ok || g.allow == nil {
		return nil
	}
	r := &http.Request{Host: string(from.Host()), Header: http.Header{}}
	for name, value := range from.Request.Header.All() {
		r.Header.Add(string(name), string(value))
	}
	if g.allow(r) {
		return nil
	}
	return s3err.GetAPIError(s3err.ErrAccessDenied)
}

// GetBucketAcl returns the ACL of a bucket.
func (g guarded) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	if err := g.check(ctx); err != nil {
		return nil, err
	}
	return g.Backend.GetBucketAcl(ctx, in)
}

// ListBuckets lists the buckets.
func (g guarded) ListBuckets(ctx context.Context, in s3response.ListBucketsInput) (s3response.ListAllMyBucketsResult, error) {
	if err := g.check(ctx); err != nil {
		return s3response.ListAllMyBucketsResult{}, err
	}
	return g.Backend.ListBuckets(ctx, in)
}

// CreateBucket makes a bucket. All buckets have the one owner, those too that were
// there from the start and about which the backend notes no owner.
func (g guarded) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	if err := g.check(ctx); err != nil {
		return err
	}
	if _, err := g.Backend.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: in.Bucket}); err == nil {
		return s3err.GetBucketErr(s3err.ErrBucketAlreadyOwnedByYou, *in.Bucket)
	}
	return g.Backend.CreateBucket(ctx, in, acl)
}
