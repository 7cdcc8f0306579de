package s3server

import (
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3response"
)

// onlyVersion is the version of every object in a bucket without versions.
const onlyVersion = "null"

// unversioned is a backend without versions. A read, a copy and tags of the only one mean the object, as listings of versions
// say. versitygw refuses them.
type unversioned struct{ backend.Backend }

// versionOf returns the version that a request asks for, or "" for the only one.
func versionOf(version string) string {
	if version == onlyVersion {
		return ""
	}
	return version
}

// GetObject reads an object.
func (u unversioned) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	asked := *in
	asked.VersionId = aws.String(versionOf(aws.ToString(in.VersionId)))
	return u.Backend.GetObject(ctx, &asked)
}

// HeadObject describes an object.
func (u unversioned) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	asked := *in
	asked.VersionId = aws.String(versionOf(aws.ToString(in.VersionId)))
	return u.Backend.HeadObject(ctx, &asked)
}

// GetObjectAttributes describes an object.
func (u unversioned) GetObjectAttributes(ctx context.Context, in *s3.GetObjectAttributesInput) (
	s3response.GetObjectAttributesResponse, error,
) {
	asked := *in
	asked.VersionId = aws.String(versionOf(aws.ToString(in.VersionId)))
	return u.Backend.GetObjectAttributes(ctx, &asked)
}

// GetObjectTagging returns the tags of an object.
func (u unversioned) GetObjectTagging(ctx context.Context, bucket, key, version string) (map[string]string, error) {
	return u.Backend.GetObjectTagging(ctx, bucket, key, versionOf(version))
}

// PutObjectTagging replaces the tags of an object.
func (u unversioned) PutObjectTagging(ctx context.Context, bucket, key, version string, tags map[string]string) error {
	return u.Backend.PutObjectTagging(ctx, bucket, key, versionOf(version), tags)
}

// DeleteObjectTagging removes the tags of an object.
func (u unversioned) DeleteObjectTagging(ctx context.Context, bucket, key, version string) error {
	return u.Backend.DeleteObjectTagging(ctx, bucket, key, versionOf(version))
}

// CopyObject copies an object.
func (u unversioned) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	in.CopySource = sourceOf(in.CopySource)
	return u.Backend.CopyObject(ctx, in)
}

// UploadPartCopy copies a part of an object.
func (u unversioned) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	asked := *in
	asked.CopySource = sourceOf(in.CopySource)
	return u.Backend.UploadPartCopy(ctx, &asked)
}

// sourceOf returns the source of a copy without the version of the only one.
func sourceOf(source *string) *string {
	bucket, key, version, err := backend.ParseCopySource(aws.ToString(source))
	if err != nil || version != onlyVersion {
		return source
	}
	return aws.String(url.QueryEscape(bucket + "/" + key))
}
