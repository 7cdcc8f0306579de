package objects

import (
	"context"
	"iter"

	"github.com/minio/minio-go/v7"
)

// Entry is what a listing tells of an object.
type Entry struct {
	Info
	// Told says that the listing has the content type, the metadata and the
	// tags too, as only MinIO's do. Else they are empty: ask Stat and Tags.
	Told bool
	Tags map[string]string
}

// Walk lists the objects under prefix in key order, with all that the store
// tells in a listing. It reads on as it is asked, a thousand objects at a time,
// so a slow caller sees pages as old as they are when read. It ends after an
// error.
func (s *Store) Walk(ctx context.Context, bucket, prefix string) iter.Seq2[Entry, error] {
	options := minio.ListObjectsOptions{Prefix: prefix, Recursive: true, WithMetadata: true}
	return func(yield func(Entry, error) bool) {
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
	told := o.UserMetadata != nil // MinIO tells at least the content type
	if told {
		o.ContentType = o.UserMetadata["content-type"]
		o.UserMetadata = o.UserMetadataStripped
	}
	return Entry{Info: describe(bucket, o), Told: told, Tags: o.UserTags}
}
