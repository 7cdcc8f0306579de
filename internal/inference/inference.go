// Package inference runs models. A model is a file in a repository of Triton's
// layout: <name>/<version>/model.onnx.
package inference

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// ErrUnavailable is in the chain of an error that another try may cure.
var ErrUnavailable = errors.New("the inference backend is unavailable")

// Tensor is numbers in a shape, the last dimension contiguous.
type Tensor struct {
	// Shape has -1 for a dynamic dimension where it describes a model.
	Shape []int64
	Data  []float32
}

// Info describes a model.
type Info struct {
	Name, Version string
	// Input is the shape of the one input, Outputs those of the outputs.
	Input   []int64
	Outputs [][]int64
	// Metadata is what the file says of itself.
	Metadata map[string]string
}

// Model is one model, ready to run, safe for concurrent use.
type Model interface {
	Info() Info
	// Infer runs the model on one input. The outputs are lent to use and are
	// void when it has returned. The end of ctx ends the run.
	Infer(ctx context.Context, input Tensor, use func(outputs []Tensor) error) error
}

// Options of the in-process runtime.
type Options struct {
	// Library is the path of ONNX Runtime's shared library.
	Library string
	// Threads is how many threads one run uses; at least 1.
	Threads int
}

// Repository is the models of a folder.
type Repository struct{ models map[string]Model }

// Open loads every model of a folder, of each the highest version. A model that
// cannot be loaded is an error that names its file.
func Open(dir string, o Options) (*Repository, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("model repository: %w", err)
	}
	if err := startRuntime(o.Library); err != nil {
		return nil, err
	}
	r := &Repository{models: map[string]Model{}}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		name := entry.Name()
		version, err := latest(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, name, version, "model.onnx")
		if r.models[name], err = load(file, name, version, o); err != nil {
			return nil, fmt.Errorf("model %s: %w", file, err)
		}
	}
	if len(r.models) == 0 {
		return nil, fmt.Errorf("model repository %s: no model; it needs <name>/<version>/model.onnx", dir)
	}
	return r, nil
}

// latest returns the highest numbered folder of a model. Like Triton it passes
// over names that do not begin with a digit above 0.
func latest(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	highest := 0
	for _, entry := range entries {
		if n, _ := strconv.Atoi(entry.Name()); strconv.Itoa(n) == entry.Name() && entry.IsDir() {
			highest = max(highest, n)
		}
	}
	if highest == 0 {
		return "", fmt.Errorf("model %s: no version; it needs a folder such as 1", dir)
	}
	return strconv.Itoa(highest), nil
}

// Model returns the model of a name.
func (r *Repository) Model(name string) (Model, bool) {
	m, ok := r.models[name]
	return m, ok
}

// Names returns the names of the models, sorted.
func (r *Repository) Names() []string {
	return slices.Sorted(maps.Keys(r.models))
}
