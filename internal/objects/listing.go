package objects

import (
	"context"
	"iter"

	"github.com/minio/minio-go/v7"
)

// Entry is an object in a listing.
type Entry struct {
	Info
	// HasMetadata means that the listing contains the content type, the metadata and
	// the tags. Only MinIO's listings do, unless there is a TagBucket. If false, call Stat and Tags.
	HasMetadata bool
	Tags        map[string]string
}

// maxKeyBytes is S3's limit.
const maxKeyBytes = 1024

// Walk lists the objects under prefix in key order. It requests pages of 1000
// objects as the caller iterates, so the last entries of a page may be outdated when
// the caller is slow. An error ends the listing.
func (s *Store) Walk(ctx context.Context, bucket, prefix string) iter.Seq2[Entry, error] {
	return s.WalkAfter(ctx, bucket, prefix, "")
}

// WalkAfter is Walk for the objects whose keys are greater than after.
func (s *Store) WalkAfter(ctx context.Context, bucket, prefix, after string) iter.Seq2[Entry, error] {
	options := minio.ListObjectsOptions{
		Prefix: prefix, StartAfter: after, Recursive: true, WithMetadata: s.tagBucket == "",
	}
	return func(yield func(Entry, error) bool) {
		if len(prefix) > maxKeyBytes { // stores refuse it, and no key begins with it
			return
		}
		ctx, end := s.begin(ctx)
		defer end()
		for o := range s.core.Client.ListObjectsIter(ctx, bucket, options) {
			if o.Err != nil {
				yield(Entry{}, explain(ctx, o.Err, "list", bucket, prefix))
				return
			}
			if !yield(entry(bucket, o), nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Entry{}, explain(ctx, err, "list", bucket, prefix))
		}
	}
}

func entry(bucket string, o minio.ObjectInfo) Entry {
	hasMetadata := o.UserMetadata != nil // MinIO lists at least the content type
	if hasMetadata {
		o.ContentType = o.UserMetadata["content-type"]
		o.UserMetadata = o.UserMetadataStripped
	}
	return Entry{Info: describe(bucket, o), HasMetadata: hasMetadata, Tags: o.UserTags}
}
