package s3server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3api/controllers"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// errKey refuses a key that would be another one's file. MinIO answers with this code, too, to all of them but a slash at
// the begin, which it ignores.
var errKey = s3err.APIError{
	Code:           "XMinioInvalidObjectName",
	Description:    "the key has a NUL, a part . or .., or an empty part before or between slashes: it would be another key's file",
	HTTPStatusCode: http.StatusBadRequest,
}

// maxPart is how many bytes a part of a key may have: file systems hold no longer names.
const maxPart = 255

// checkKey returns an error for a key that names no file of its own. A slash at the end is a folder's. versitygw finds a part
// that is too long when it writes the file, which for a multipart upload is after all of its content.
func checkKey(key string) error {
	parts := strings.Split(strings.TrimSuffix(key, "/"), "/")
	isWrong := func(part string) bool { return part == "" || part == "." || part == ".." }
	if key != "" && (slices.ContainsFunc(parts, isWrong) || strings.Contains(key, "\x00")) {
		return errKey
	}
	if i := slices.IndexFunc(parts, func(part string) bool { return len(part) > maxPart }); i >= 0 {
		return s3err.GetKeyTooLongErr(int64(len(parts[i])), maxPart)
	}
	return nil
}

// requireKey checks the key in the path of a request as it was sent: the HTTP server has resolved . and .. in the path that
// versitygw gets.
var requireKey = controllers.WrapMiddleware(func(ctx fiber.Ctx) error {
	path, err := url.PathUnescape(string(ctx.Request().URI().PathOriginal()))
	if err != nil {
		return nil // versitygw refuses it
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return checkKey(key)
}, nil, nil)

// named is a backend that checks the keys that requests have outside their paths.
type named struct{ backend.Backend }

// PutObject stores an object, whose key may come from a form.
func (n named) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	if err := checkKey(aws.ToString(in.Key)); err != nil {
		return s3response.PutObjectOutput{}, err
	}
	return n.Backend.PutObject(ctx, in)
}

// CopyObject copies an object.
func (n named) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	if err := checkSource(in.CopySource); err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	return n.Backend.CopyObject(ctx, in)
}

// UploadPartCopy copies a part of an object.
func (n named) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	if err := checkSource(in.CopySource); err != nil {
		return s3response.CopyPartResult{}, err
	}
	return n.Backend.UploadPartCopy(ctx, in)
}

func checkSource(source *string) error {
	_, key, _, err := backend.ParseCopySource(aws.ToString(source))
	if err != nil {
		return err
	}
	return checkKey(key)
}

// DeleteObjects deletes objects. A key that is too long is left to versitygw, which deletes the others.
func (n named) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	for _, object := range in.Delete.Objects {
		if err := checkKey(aws.ToString(object.Key)); errors.Is(err, errKey) {
			return s3response.DeleteResult{}, err
		}
	}
	return n.Backend.DeleteObjects(ctx, in)
}
