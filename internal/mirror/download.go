package mirror

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// folder returns the folder of a version.
func (m *Mirror) folder(version string) string { return filepath.Join(m.Dir, versionsDir, version) }

// complete reports whether the version of a model is in the folder, with the sizes of the bucket.
func (m *Mirror) complete(model *model) bool {
	for _, f := range model.files {
		info, err := os.Stat(filepath.Join(m.folder(model.version()), f.path))
		if err != nil || info.Size() != f.Size {
			return false
		}
	}
	return true
}

// download fetches the files of a model. They get their folder when all are there.
func (m *Mirror) download(ctx context.Context, model *model) error {
	to := m.folder(model.version())
	partial := to + ".partial"
	for _, left := range []string{to, partial} {
		if err := os.RemoveAll(left); err != nil {
			return err
		}
	}
	for _, f := range model.files {
		if err := m.fetch(ctx, f, filepath.Join(partial, f.path)); err != nil {
			return fmt.Errorf("%s: %w", f.Key, err)
		}
	}
	return os.Rename(partial, to)
}

// fetch writes one object to a file. The object must still be the one of the listing.
func (m *Mirror) fetch(ctx context.Context, f file, name string) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	to, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if closed := to.Close(); err == nil {
			err = closed
		}
	}()
	return m.Store.Download(ctx, f.Bucket, f.Key, f.ETag, f.Size, to)
}
