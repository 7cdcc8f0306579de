package inference

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// modelFile is the name of the model in the folder of a version.
const modelFile = "model.onnx"

// maxModelBytes is the size limit of an ONNX file.
const maxModelBytes = 1<<31 - 1

// modelFiles describes the files in a model's folder.
type modelFiles struct {
	name string
	// versions are sorted by number.
	versions []string
	// fingerprint has the names, sizes and times of the files. It changes when
	// they do.
	fingerprint string
	// err says why there is nothing to load.
	err error
}

// version returns the highest version, or "" if there is none.
func (f modelFiles) version() string {
	if len(f.versions) == 0 {
		return ""
	}
	return f.versions[len(f.versions)-1]
}

// scan reads a model's folder. Like Triton, it skips folders whose names are not
// numbers above 0.
func scan(dir string) modelFiles {
	f := modelFiles{name: filepath.Base(dir)}
	names, err := folders(dir)
	if err != nil {
		f.err, f.fingerprint = err, err.Error()
		return f
	}
	for _, name := range names {
		if n, _ := strconv.Atoi(name); n > 0 && strconv.Itoa(n) == name {
			f.versions = append(f.versions, name)
		}
	}
	slices.SortFunc(f.versions, compareVersions)
	if f.version() == "" {
		f.err, f.fingerprint = errors.New("no version; it needs a folder such as 1"), "none"
		return f
	}
	versionDir := filepath.Join(dir, f.version())
	f.fingerprint = fingerprint(dir, configFile, labelsFile) + fingerprint(versionDir, filesBelow(versionDir)...)
	return f
}

// folders returns the names of the folders in dir, including links to folders.
func folders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || name == "lost+found" {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since ReadDir, or a dangling link
		}
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			names = append(names, name)
		}
	}
	return names, nil
}

// filesBelow returns the paths of files and folders in dir and below, relative to dir. It omits what
// is not readable, and those beyond twice the number of files that a model may have.
func filesBelow(dir string) (paths []string) {
	_ = fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		if len(paths) > 2*maxExternalFiles {
			return fs.SkipAll
		}
		if path != "." {
			paths = append(paths, path)
		}
		return nil
	})
	return paths
}

// fingerprint returns the names, sizes and times of those files that exist.
func fingerprint(dir string, names ...string) string {
	var b strings.Builder
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			fmt.Fprintf(&b, "%s/%s %d %d\n", filepath.Base(dir), name, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// digest returns a hash of the content of those files that exist.
func digest(files ...string) (string, error) {
	hash := sha256.New()
	for _, file := range files {
		content, err := os.Open(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		n, err := io.Copy(hash, content)
		_ = content.Close()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "\n%d\n", n) // a separator: bytes cannot move from one file to the next
	}
	return hex.EncodeToString(hash.Sum(nil)[:8]), nil
}
