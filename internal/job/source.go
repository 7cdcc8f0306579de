package job

import (
	"context"
	"errors"
	"log/slog"

	"imageflow.dev/functions"
	"imageflow.dev/internal/objects"
)

// sourceExists fails with NotFound when the source is gone. A source that cannot be
// looked at, or has been replaced, is still there.
func (t *task) sourceExists(ctx context.Context) error {
	if t.source.key == "" {
		return nil
	}
	_, err := t.store.Stat(ctx, t.source.bucket, t.source.key)
	if errors.Is(err, objects.ErrNotFound) {
		return explain(err, "input_image", t.source, "")
	}
	return nil
}

// withdraw removes what the job has written, because its source was deleted
// meanwhile. What others have put there since stays. Where the source has come back
// by then, the same job is to be done again.
func (t *task) withdraw(ctx context.Context, gone error, all ...objects.Info) error {
	ctx = context.WithoutCancel(ctx)
	for _, info := range all {
		if info.ETag == "" {
			continue // nothing was written
		}
		err := t.store.RemoveVersion(ctx, info.Bucket, info.Key, info.ETag)
		if err != nil && !errors.Is(err, objects.ErrChanged) && !errors.Is(err, objects.ErrNotFound) {
			slog.WarnContext(ctx, "an output remains whose source was deleted", "bucket", info.Bucket, "key", info.Key, "error", err)
		}
	}
	if t.sourceExists(ctx) == nil {
		return functions.Errorf(functions.Unavailable, "", "the input image was deleted and put back meanwhile; try again")
	}
	return gone
}
