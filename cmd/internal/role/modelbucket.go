package role

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/mirror"
	"imageflow.dev/internal/objects"
)

// ModelCache has the variables of a MODEL_REPOSITORY in a bucket.
type ModelCache struct {
	Cache      string        `envconfig:"MODEL_CACHE" desc:"s3:// repository: folder of the copies (default /tmp/imageflow-models)"`
	CacheBytes int64         `envconfig:"MODEL_CACHE_BYTES" default:"4294967296" desc:"s3:// repository: maximum size of all models"`
	BucketPoll time.Duration `envconfig:"MODEL_BUCKET_POLL" default:"30s" desc:"s3:// repository: interval of listings; 0: never"`
}

func (c ModelCache) validate(repository string) error {
	errs := []error{
		atLeast("MODEL_CACHE_BYTES", c.CacheBytes, 1), atLeast("MODEL_BUCKET_POLL", c.BucketPoll, 0),
	}
	if scheme, rest, ok := strings.Cut(repository, "://"); ok && (scheme != "s3" || strings.Trim(rest, "/") == "") {
		errs = append(errs, fmt.Errorf("MODEL_REPOSITORY is %q but must be a folder or s3://bucket/prefix", repository))
	}
	return errors.Join(errs...)
}

// bucketWait is how long detect waits for the store of its models at the start.
const bucketWait = time.Minute

// openRepository opens the models of a folder, or of a bucket by a copy in a folder.
func (c *DetectConfig) openRepository(ctx context.Context, o inference.Options) (modelFolder, error) {
	location, ok := strings.CutPrefix(c.ModelRepository, "s3://")
	if !ok {
		return inference.Open(ctx, c.ModelRepository, o)
	}
	store, err := c.Store.open("")
	if err != nil {
		return nil, err
	}
	bucket, prefix, _ := strings.Cut(location, "/")
	dir := cmp.Or(c.Cache, filepath.Join(os.TempDir(), "imageflow-models"))
	files, err := mirror.Open(ctx, mirror.Config{
		Store: store, Bucket: bucket, Prefix: strings.Trim(prefix, "/"), Dir: dir, MaxBytes: c.CacheBytes, Interval: c.BucketPoll,
	}, bucketWait)
	if err != nil {
		return nil, fmt.Errorf("MODEL_REPOSITORY %s: %w", c.ModelRepository, err)
	}
	o.Fetch = func(ctx context.Context, name string) error {
		err := files.Fetch(ctx, name)
		if err != nil && !errors.Is(err, objects.ErrUnavailable) {
			err = &inference.RefusedError{Name: name, Reason: err.Error()}
		}
		return err
	}
	folder, err := inference.Open(ctx, dir, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("MODEL_REPOSITORY %s: %w", c.ModelRepository, err), files.Close())
	}
	return mirrored{folder, files}, nil
}

// modelFolder is a repository of files.
type modelFolder interface {
	inference.Repository
	modelLoader
}

// mirrored is a folder of models that a mirror fills.
type mirrored struct {
	*inference.Folder
	files *mirror.Mirror
}

// Close closes both.
func (m mirrored) Close() error { return errors.Join(m.Folder.Close(), m.files.Close()) }
