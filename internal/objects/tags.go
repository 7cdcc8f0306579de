package objects

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/tags"
)

// ErrTooManyTags means that an object would have more tags than S3 allows.
var ErrTooManyTags = errors.New("the object has no room for another tag")

// maxTags is S3's limit of tags per object.
const maxTags = 10

// SetTags sets tags of an object and keeps its other tags. An empty value removes a
// tag. If etag is not empty and the object has, or gets in the meantime, another ETag,
// the error is ErrChanged, and SetTags removes the tags from the new version.
//
// S3 has no conditional request for tags, so SetTags checks the version before and
// after. Two races remain. Tags that another client sets in between are lost. If the
// object is replaced in between, the new version has the tags until SetTags removes
// them; it keeps them if the process ends before that.
func (s *Store) SetTags(ctx context.Context, bucket, key, etag string, wanted map[string]string) error {
	info, err := s.checkVersion(ctx, bucket, key, etag)
	if err != nil {
		return err
	}
	have, err := s.Tags(ctx, bucket, key)
	if err == nil {
		err = s.changeTags(ctx, info, have, wanted)
	}
	if err != nil {
		return err
	}
	_, err = s.checkVersion(ctx, bucket, key, etag)
	if errors.Is(err, ErrChanged) {
		if undoErr := s.removeTags(ctx, bucket, key, wanted); undoErr != nil && !errors.Is(undoErr, ErrNotFound) {
			return errors.Join(err, undoErr)
		}
	}
	return err
}

// removeTags removes the given tags, except those whose value has changed.
func (s *Store) removeTags(ctx context.Context, bucket, key string, given map[string]string) error {
	info, err := s.Stat(ctx, bucket, key)
	if err != nil {
		return err
	}
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
	return s.changeTags(ctx, info, have, unwanted)
}

// changeTags replaces the tags of an object, which has the tags have, by have with the
// changes wanted. It makes no request if nothing changes.
func (s *Store) changeTags(ctx context.Context, of Info, have, wanted map[string]string) error {
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
		return fmt.Errorf("tag %s/%s: %w", of.Bucket, of.Key, ErrTooManyTags)
	}
	if s.tagBucket != "" {
		return s.putMarker(ctx, of, changed)
	}
	set, err := tags.MapToObjectTags(changed)
	if err != nil {
		return fmt.Errorf("tags of %s/%s: %w", of.Bucket, of.Key, err)
	}
	ctx, end := s.begin(ctx)
	defer end()
	err = s.core.PutObjectTagging(ctx, of.Bucket, of.Key, set, minio.PutObjectTaggingOptions{})
	return explainTags(explain(ctx, err, "tag", of.Bucket, of.Key))
}

// Tags returns the tags of an object.
func (s *Store) Tags(ctx context.Context, bucket, key string) (map[string]string, error) {
	if s.tagBucket != "" {
		return s.markedTags(ctx, bucket, key)
	}
	ctx, end := s.begin(ctx)
	defer end()
	have, err := s.core.GetObjectTagging(ctx, bucket, key, minio.GetObjectTaggingOptions{})
	switch {
	case minio.ToErrorResponse(err).Code == "NoSuchTagSet":
		return map[string]string{}, nil
	case err != nil:
		return nil, explainTags(explain(ctx, err, "tags", bucket, key))
	}
	return have.ToMap(), nil
}

func explainTags(err error) error { return explainUnsupported(err, "tags", withoutTags) }
