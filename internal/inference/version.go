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

// modelFile is what a version's folder has.
const modelFile = "model.onnx"

// found is what lies in a model's folder.
type found struct {
	name string
	// versions are sorted by number.
	versions []string
	// files tells these files from others: names, sizes and times.
	files string
	// err says why there is nothing to load.
	err error
}

// version returns the highest one, empty where there is none.
func (f found) version() string {
	if len(f.versions) == 0 {
		return ""
	}
	return f.versions[len(f.versions)-1]
}

// find looks into a model's folder. Like Triton it passes over names of versions
// that do not begin with a digit above 0.
func find(dir string) found {
	f := found{name: filepath.Base(dir)}
	names, err := folders(dir)
	if err != nil {
		f.err, f.files = err, err.Error()
		return f
	}
	for _, name := range names {
		if n, _ := strconv.Atoi(name); n > 0 && strconv.Itoa(n) == name {
			f.versions = append(f.versions, name)
		}
	}
	slices.SortFunc(f.versions, byNumber)
	if f.version() == "" {
		f.err, f.files = errors.New("no version; it needs a folder such as 1"), "none"
		return f
	}
	f.files = traces(dir, configFile, labelsFile) + traces(filepath.Join(dir, f.version()), all(filepath.Join(dir, f.version()))...)
	return f
}

// folders returns the names of the folders in a folder, links to folders
// among them.
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
			continue // it has gone, or a link leads nowhere
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

// all returns the names in a folder, none where it cannot be read.
func all(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// traces tells of files what changes with them.
func traces(dir string, names ...string) string {
	var b strings.Builder
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			fmt.Fprintf(&b, "%s/%s %d %d\n", filepath.Base(dir), name, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// digest tells the content of files from another.
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
		fmt.Fprintf(hash, "\n%d\n", n) // what one ends with cannot begin the next
	}
	return hex.EncodeToString(hash.Sum(nil)[:8]), nil
}
