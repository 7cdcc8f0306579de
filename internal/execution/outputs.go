package execution

import (
	"context"

	"imageflow.dev/internal/objects"
)

// HasOutput reports whether a step has written an output that was made from this
// version of an upload and has the default key. It also returns true if too many
// objects have the same prefix to read them all.
func HasOutput(ctx context.Context, store *objects.Store, bucket, key, etag string) (bool, error) {
	id, seen, found := ID(key), 0, false
	err := visitObjects(ctx, store, bucket, id+"_", func(info objects.Info) {
		seen++
		found = found || IsOutput(info, id) && (etag == "" || info.Metadata[SourceMetadata] == etag)
	})
	return found || seen >= maxEntries, err
}

// IsOutput reports whether a step of this execution wrote the object.
func IsOutput(info objects.Info, id string) bool {
	return info.Metadata[IDMetadata] == id && WrittenByUs(info)
}

// IsStepOutput reports whether an object is the output of a step: neither a side-car nor a crop nor an image for a
// signed URL.
func IsStepOutput(info objects.Info) bool {
	isBeside := info.ContentType == sideCarType || info.Metadata[CropMetadata] != "" || isView(info.Metadata)
	return info.Metadata[StepMetadata] != "" && !isBeside && WrittenByUs(info)
}
