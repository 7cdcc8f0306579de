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
	"regexp"
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
	// versions are sorted by number. Requests can name the available ones.
	versions, available []string
	// fingerprint has the names, sizes and times of the files. It changes when
	// they do.
	fingerprint string
	// err says why there is nothing to load.
	err error
}

// version returns the highest available version, or "" if there is none.
func (f modelFiles) version() string { return highest(f.available) }

// nameRule is the rule of DetectionRequest.model_name.
var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// scan reads a model's folder. Like Triton, it skips folders whose names are not
// numbers above 0.
func scan(dir string) modelFiles {
	f := modelFiles{name: filepath.Base(dir)}
	names, err := folders(dir)
	switch info, _ := os.Stat(dir); {
	case info != nil && !info.IsDir():
		err = fmt.Errorf("a model is a folder: move the file to %s/1/%s", strings.TrimSuffix(f.name, onnxExtension), modelFile)
	case !nameRule.MatchString(f.name):
		err = errors.New("rename the folder: names consist of letters, digits, dots, dashes and underscores, up to 128, and begin " +
			"with a letter or a digit")
	}
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
	if len(f.versions) == 0 {
		f.err, f.fingerprint = fmt.Errorf("no version; it needs a folder such as 1, with the file %s", modelFile), "none"
		return f
	}
	config, err := readModelConfig(dir)
	if err == nil {
		f.available, err = available(f.versions, config.GetVersionPolicy())
	}
	f.err, f.fingerprint = err, versionFingerprint(dir, f.version())
	return f
}

// versionFingerprint returns the fingerprint of the files of one version, which may be empty, and of those that
// all versions of the model share.
func versionFingerprint(dir, version string) string {
	shared := fingerprint(dir, configFile, labelsFile)
	if version == "" {
		return shared
	}
	versionDir := filepath.Join(dir, version)
	return shared + fingerprint(versionDir, filesBelow(versionDir)...)
}

// onnxExtension ends the names of files in the format of models.
const onnxExtension = ".onnx"

// folders returns the names of the folders in dir, including links to folders.
func folders(dir string) ([]string, error) {
	return namesIn(dir, func(_ string, info fs.FileInfo) bool { return info.IsDir() })
}

// models returns the names of the folders in a repository, and of files that should be in one.
func models(dir string) ([]string, error) {
	return namesIn(dir, func(name string, info fs.FileInfo) bool {
		return info.IsDir() || strings.HasSuffix(name, onnxExtension)
	})
}

// namesIn returns the names in dir of what is wanted.
func namesIn(dir string, wanted func(name string, info fs.FileInfo) bool) ([]string, error) {
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
		if wanted(name, info) {
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

// checkLinks returns an error if a file that exists is a link out of the repository. The folder of the model,
// dir, may be such a link: then its files belong in the folder that it leads to.
func checkLinks(dir string, files []string) error {
	var roots []string
	for _, root := range []string{filepath.Dir(dir), dir} {
		real, err := filepath.EvalSymlinks(root)
		if err != nil {
			return err
		}
		roots = append(roots, real)
	}
	for _, file := range files {
		real, err := filepath.EvalSymlinks(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		isIn := func(root string) bool {
			path, err := filepath.Rel(root, real)
			return err == nil && filepath.IsLocal(path)
		}
		if !slices.ContainsFunc(roots, isIn) {
			return fmt.Errorf("%s is a link to a file outside of the repository: copy the file there", file)
		}
	}
	return nil
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
