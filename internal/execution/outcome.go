package execution

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"imageflow.dev/internal/objects"
)

// The tags of a source object whose chain has ended.
const (
	StatusTag       = "imageflow-status"
	StatusCompleted = "completed"
	StatusFailed    = "failed"

	// VersionTag holds a digest of the bucket, key and entity tag of the upload. It shows
	// that the status of a copy, or of an object that was replaced while it was tagged,
	// is about another object. The last output has both tags, too, for when the upload is deleted.
	VersionTag = "imageflow-status-of"

	// atTag holds the time of the outcome that an output has (RFC 3339).
	atTag = "imageflow-status-at"
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

// outcomeOfDeleted returns the outcome of the upload that no longer exists, if it has completed: an output has it. Of
// several versions, the upload was that of the newest output, unless another one has failed after that had completed.
func (e *Execution) outcomeOfDeleted(ctx context.Context, store *objects.Store) (string, error) {
	upload := objects.Info{Bucket: e.Bucket}
	for _, step := range e.Steps {
		upload.ETag = cmp.Or(step.Output.Metadata[OriginMetadata], upload.ETag)
	}
	var ok bool
	if upload.Key, ok = e.uploadKey(); !ok || upload.ETag == "" {
		return "", nil
	}
	for _, step := range slices.Backward(e.Steps) {
		tags, err := store.Tags(ctx, e.Bucket, step.Output.Key)
		if err != nil && !errors.Is(err, objects.ErrNotFound) {
			return "", err
		}
		if tags[VersionTag] == versionOf(upload.Bucket, upload.Key, upload.ETag) && !e.failedAfter(upload, tags[atTag]) {
			return Outcome(upload, tags), nil
		}
	}
	return "", nil
}

// failedAfter reports whether another version of the upload has failed since a time; an invalid time is long ago.
func (e *Execution) failedAfter(upload objects.Info, at string) bool {
	completed, _ := time.Parse(time.RFC3339Nano, at)
	return e.Failure != nil && e.Failure.ETag != upload.ETag && e.Failure.Last.After(completed)
}

// SetOutcomeOfUpload tags an output of a completed execution, so that the outcome is known when the upload is deleted.
// It returns the errors of objects.Store.SetTags.
func SetOutcomeOfUpload(ctx context.Context, store *objects.Store, output, upload objects.Info) error {
	return store.SetTags(ctx, output.Bucket, output.Key, output.ETag, map[string]string{
		StatusTag: StatusCompleted, VersionTag: versionOf(upload.Bucket, upload.Key, upload.ETag),
		atTag: time.Now().UTC().Format(time.RFC3339Nano),
	})
}

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
