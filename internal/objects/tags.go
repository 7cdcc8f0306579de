package objects

import (
	"context"
	"errors"
	"fmt"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/tags"
)

// ErrTooManyTags means that an object has as many tags as S3 allows, and no
// room for another.
var ErrTooManyTags = errors.New("the object has no room for another tag")

// maxTags is S3's limit for an object.
const maxTags = 10

// SetTag sets one tag of a version of an object, and keeps the others; an empty
// value removes it. Without an etag it takes any version. It fails with
// ErrChanged when the object is or becomes another version meanwhile, which
// then does not keep the tag.
//
// S3 sets tags without a condition, so the version is looked at before and
// after. What remains: whoever else sets tags in between loses them; and for
// the moment until it is taken away again, or until someone else does should
// this process die just then, the new version of an object that is replaced in
// between has the tag of the old one.
func (s *Store) SetTag(ctx context.Context, bucket, key, etag, name, value string) error {
	if err := s.demand(ctx, bucket, key, etag); err != nil {
		return err
	}
	if err := s.changeTag(ctx, bucket, key, name, value); err != nil {
		return err
	}
	err := s.demand(ctx, bucket, key, etag)
	if errors.Is(err, ErrChanged) && value != "" {
		have, tagsErr := s.Tags(ctx, bucket, key)
		if tagsErr == nil && have[name] == value {
			tagsErr = s.changeTag(ctx, bucket, key, name, "")
		}
		if tagsErr != nil && !errors.Is(tagsErr, ErrNotFound) {
			return errors.Join(err, tagsErr)
		}
	}
	return err
}

// demand fails unless the object is of the version etag.
func (s *Store) demand(ctx context.Context, bucket, key, etag string) error {
	info, err := s.Stat(ctx, bucket, key)
	if err == nil && etag != "" && info.ETag != etag {
		err = fmt.Errorf("%s/%s with etag %q: %w", bucket, key, etag, ErrChanged)
	}
	return err
}

func (s *Store) changeTag(ctx context.Context, bucket, key, name, value string) error {
	have, err := s.Tags(ctx, bucket, key)
	if err != nil || have[name] == value {
		return err
	}
	have[name] = value
	if value == "" {
		delete(have, name)
	}
	if len(have) > maxTags {
		return fmt.Errorf("tag %s/%s: %w", bucket, key, ErrTooManyTags)
	}
	set, err := tags.MapToObjectTags(have)
	if err != nil {
		return fmt.Errorf("tags of %s/%s: %w", bucket, key, err)
	}
	err = s.core.PutObjectTagging(ctx, bucket, key, set, minio.PutObjectTaggingOptions{})
	return explain(err, "tag", bucket, key)
}
