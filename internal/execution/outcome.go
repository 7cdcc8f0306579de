package execution

import (
	"context"

	"imageflow.dev/internal/objects"
)

// The tags of a source object whose chain has ended.
const (
	StatusTag       = "imageflow-status"
	StatusCompleted = "completed"
	StatusFailed    = "failed"

	// VersionTag holds a digest of the object's bucket, key and entity tag. It shows
	// that the status of a copy, or of an object that was replaced while it was tagged,
	// is about another object.
	VersionTag = "imageflow-status-of"
)

// Outcome returns the status that the tags record for this version of an object, or an
// empty string. A status without VersionTag is older than that tag and is valid.
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

// SetOutcome tags a version of an object with a status and a digest of the version. An
// empty status removes both tags. An empty etag means the current version. SetOutcome
// returns the errors of objects.Store.SetTags.
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
