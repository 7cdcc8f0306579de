package execution

import (
	"context"

	"imageflow.dev/internal/objects"
)

// HasOutput reports whether a step has written an output that was made from this
// version of an upload, under the names that the contract gives to outputs.
func HasOutput(ctx context.Context, store *objects.Store, bucket, key, etag string) (bool, error) {
	id, found := ID(key), false
	err := look(ctx, store, bucket, id+"_", func(info objects.Info) {
		found = found || info.Metadata[IDMetadata] == id && (etag == "" || info.Metadata[SourceMetadata] == etag)
	})
	return found, err
}
