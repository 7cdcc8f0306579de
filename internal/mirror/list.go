package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"imageflow.dev/internal/objects"
)

// model is the listing of one model.
type model struct {
	name  string
	files []file
}

// file is an object; path is relative to the model's folder.
type file struct {
	path string
	objects.Info
}

// version identifies the content: it is a hash of the paths, ETags and sizes.
func (m *model) version() string {
	hash := sha256.New()
	for _, f := range m.files {
		fmt.Fprintf(hash, "%q %q %d\n", f.path, f.ETag, f.Size)
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

func (m *model) bytes() (n int64) {
	for _, f := range m.files {
		n += f.Size
	}
	return n
}

// maxFiles limits the files of all models.
const maxFiles = 10_000

// list lists the models in the bucket, by name. It skips folders and names with a dot in front, and
// reports keys that are no paths.
func (m *Mirror) list(ctx context.Context) ([]*model, error) {
	prefix := m.Prefix
	if prefix != "" {
		prefix += "/"
	}
	var models []*model
	n := 0
	for entry, err := range m.Store.Walk(ctx, m.Bucket, prefix) {
		if err != nil {
			return nil, err
		}
		if n++; n > maxFiles {
			return nil, fmt.Errorf("%s has more than %d files", objects.URI(m.Bucket, prefix, ""), maxFiles)
		}
		name, relative, inFolder := strings.Cut(strings.TrimPrefix(entry.Key, prefix), "/")
		switch {
		case strings.HasPrefix(name, ".") || strings.HasSuffix(entry.Key, "/"):
			continue
		case !inFolder:
			m.refuse(ctx, entry.Key, errors.New("not in the folder of a model: it needs <name>/<version>/model.onnx"))
			continue
		case !isPath(relative) || !isPath(name):
			m.refuse(ctx, entry.Key, errors.New("its key is no path of a file"))
			continue
		}
		if len(models) == 0 || models[len(models)-1].name != name {
			models = append(models, &model{name: name})
		}
		last := models[len(models)-1]
		last.files = append(last.files, file{relative, entry.Info})
	}
	slices.SortFunc(models, func(a, b *model) int { return strings.Compare(a.name, b.name) })
	return models, nil
}

// isPath reports whether a key is a path below a folder, without control characters.
func isPath(key string) bool {
	return filepath.IsLocal(key) && key == path.Clean(key) && !strings.ContainsFunc(key, unicode.IsControl)
}
