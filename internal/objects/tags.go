package objects

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/tags"
)

// ErrTooManyTags means that an object has as many tags as S3 allows, and no
// room for another.
var ErrTooManyTags = errors.New("the object has no room for another tag")

// maxTags is S3's limit for an object.
const maxTags = 10

// SetTags sets tags of a version of an object, and keeps its others; an empty
// value removes a tag. Without an etag it takes any version. It fails with
// ErrChanged when the object is or becomes another version meanwhile, which
// then does not keep the tags.
//
// S3 sets tags without a condition, so the version is looked at before and
// after. What remains: whoever else sets tags in between loses them; and for
// the moment until they are taken away again, or until someone else does should
// this process die just then, the new version of an object that is replaced in
// between has the tags of the old one.
func (s *Store) SetTags(ctx context.Context, bucket, key, etag string, wanted map[string]string) error {
	if err := s.demand(ctx, bucket, key, etag); err != nil {
		return err
	}
	have, err := s.Tags(ctx, bucket, key)
	if err == nil {
		err = s.changeTags(ctx, bucket, key, have, wanted)
	}
	if err != nil {
		return err
	}
	err = s.demand(ctx, bucket, key, etag)
	if errors.Is(err, ErrChanged) {
		if undoErr := s.removeTags(ctx, bucket, key, wanted); undoErr != nil && !errors.Is(undoErr, ErrNotFound) {
			return errors.Join(err, undoErr)
		}
	}
	return err
}

// removeTags removes those tags whose values are still the given ones.
func (s *Store) removeTags(ctx context.Context, bucket, key string, given map[string]string) error {
	have, err := s.Tags(ctx, bucket, key)
	if err != nil {
		return err
	}
	unwanted := map[string]string{}
	for name, value := range given {
		if have[name] == value {
			unwanted[name] = ""
		}
	}
	return s.changeTags(ctx, bucket, key, have, unwanted)
}

// demand fails unless the object is of the version etag.
func (s *Store) demand(ctx context.Context, bucket, key, etag string) error {
	info, err := s.Stat(ctx, bucket, key)
	if err == nil && etag != "" && info.ETag != etag {
		err = fmt.Errorf("%s/%s with etag %q: %w", bucket, key, etag, ErrChanged)
	}
	return err
}

// changeTags changes the tags that an object has to those wanted.
func (s *Store) changeTags(ctx context.Context, bucket, key string, have, wanted map[string]string) error {
	changed := maps.Clone(have)
	maps.Copy(changed, wanted)
	maps.DeleteFunc(changed, func(name, _ string) bool {
		value, ok := wanted[name]
		return ok && value == ""
	})
	if maps.Equal(changed, have) {
		return nil
	}
	if len(changed) > maxTags {
		return fmt.Errorf("tag %s/%s: %w", bucket, key, ErrTooManyTags)
	}
	set, err := tags.MapToObjectTags(changed)
	if err != nil {
		return fmt.Errorf("tags of %s/%s: %w", bucket, key, err)
	}
	ctx, end := s.begin(ctx)
	defer end()
	err = s.core.PutObjectTagging(ctx, bucket, key, set, minio.PutObjectTaggingOptions{})
	return explain(ctx, err, "tag", bucket, key)
}
