package inference

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The execution providers of ONNX Runtime that are understood.
const (
	CPU  = "cpu"
	CUDA = "cuda"
)

// Options of the in-process runtime.
type Options struct {
	// Library is the path of ONNX Runtime's shared library.
	Library string
	// Provider is CPU or CUDA; empty means CPU.
	Provider string
	// Threads is how many threads one run uses; at least 1.
	Threads int
}

// Folder is the models of a folder, run in the process.
type Folder struct{ models map[string]Model }

// Open loads every model of a folder, of each the highest version. A model that
// cannot be loaded is an error that names its file. Names that begin with a dot
// and lost+found are no models: volumes bring them.
func Open(dir string, o Options) (*Folder, error) {
	names, err := folders(dir)
	if err != nil {
		return nil, fmt.Errorf("model repository: %w", err)
	}
	if err := startRuntime(o); err != nil {
		return nil, err
	}
	f := &Folder{models: map[string]Model{}}
	for _, name := range names {
		version, err := latest(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, name, version, "model.onnx")
		if f.models[name], err = load(file, name, version, o); err != nil {
			return nil, fmt.Errorf("model %s: %w", file, err)
		}
	}
	if len(f.models) == 0 {
		return nil, fmt.Errorf("model repository %s: no model; it needs <name>/<version>/model.onnx", dir)
	}
	return f, nil
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
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			names = append(names, name)
		}
	}
	return names, nil
}

// latest returns the highest numbered folder of a model. Like Triton it passes
// over names that do not begin with a digit above 0.
func latest(dir string) (string, error) {
	names, err := folders(dir)
	if err != nil {
		return "", err
	}
	highest := 0
	for _, name := range names {
		if n, _ := strconv.Atoi(name); strconv.Itoa(n) == name {
			highest = max(highest, n)
		}
	}
	if highest == 0 {
		return "", fmt.Errorf("model %s: no version; it needs a folder such as 1", dir)
	}
	return strconv.Itoa(highest), nil
}

// Model returns the model of a name.
func (f *Folder) Model(_ context.Context, name string) (Model, error) {
	if m, ok := f.models[name]; ok {
		return m, nil
	}
	return nil, fmt.Errorf("model %q: %w", name, ErrNotFound)
}

// Names returns the names of the models, sorted.
func (f *Folder) Names() []string {
	return slices.Sorted(maps.Keys(f.models))
}
