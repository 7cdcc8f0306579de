package execution

import (
	"context"

	"imageflow.dev/internal/objects"
)

// The tags that a source object gets when its chain has ended.
const (
	StatusTag       = "imageflow-status"
	StatusCompleted = "completed"
	StatusFailed    = "failed"

	// VersionTag has a digest of the object's bucket, key and entity tag. A copy
	// keeps its tags, and so does, for a moment, an object that is replaced while
	// it is tagged: the status is not about them.
	VersionTag = "imageflow-status-of"
)

// Outcome returns the status that the tags of an object record for this version
// of it, and an empty string where they record none. A status from before
// VersionTag is believed.
func Outcome(info objects.Info, tags map[string]string) string {
	if version, ok := tags[VersionTag]; ok && version != versionOf(info.Bucket, info.Key, info.ETag) {
		return ""
	}
	switch status := tags[StatusTag]; status {
	case StatusCompleted, StatusFailed:
		return status
	}
	return ""
}

// HasOutcome reports whether the chain of this version of an object has ended.
func HasOutcome(info objects.Info, tags map[string]string) bool { return Outcome(info, tags) != "" }

// SetOutcome tags a version of an object with a status, and with the version
// that it is about; an empty status removes both tags. Without an etag it takes
// the version that is there. Its errors are those of objects.Store.SetTags.
func SetOutcome(ctx context.Context, store *objects.Store, bucket, key, etag, status string) error {
	if etag == "" {
		info, err := store.Stat(ctx, bucket, key)
		if err != nil {
			return err
		}
		etag = info.ETag
	}
	outcome := map[string]string{StatusTag: status, VersionTag: ""}
	if status != "" {
		outcome[VersionTag] = versionOf(bucket, key, etag)
	}
	return store.SetTags(ctx, bucket, key, etag, outcome)
}

func versionOf(bucket, key, etag string) string { return digestOf(bucket + "/" + key + "\x00" + etag) }
