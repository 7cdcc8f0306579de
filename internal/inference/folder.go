package inference

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
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
	// MaxBatch is how many inputs of one item may be run together, where the
	// model's batch axis is dynamic; less than 2, none are. One that could meet
	// others waits for them no longer than BatchWait.
	MaxBatch  int
	BatchWait time.Duration
	// Prepare prepares each model; nil, nothing does.
	Prepare Prepare
}

// Folder is the models of a folder, run in the process.
type Folder struct {
	dir     string
	options Options

	mutex  sync.RWMutex
	models map[string]*entry
}

// entry is what is known of a model's folder.
type entry struct {
	found
	// tried are the files that were loaded last, or refused.
	tried string
	// refused says why they are not in use; empty where they are.
	refused string
	// model is in use, and session what it runs on; nil where none could be
	// loaded yet.
	model   Model
	session session
}

// session is a model that can be ended when another has taken its place.
type session interface {
	Model
	// end frees what the model holds when its last run is over; those that come
	// later fail with ErrChanged.
	end()
}

// Open loads the models of a folder, of each the highest version. One that cannot
// be loaded is refused, and the others are there. Names that begin with a dot and
// lost+found are no models: volumes bring them.
func Open(ctx context.Context, dir string, o Options) (*Folder, error) {
	if o.Prepare == nil {
		o.Prepare = asItIs
	}
	if err := startRuntime(o); err != nil {
		return nil, err
	}
	f := &Folder{dir: dir, options: o, models: map[string]*entry{}}
	if err := f.look(ctx, func(entry) bool { return true }); err != nil {
		return nil, fmt.Errorf("model repository: %w", err)
	}
	if len(f.models) == 0 {
		return nil, fmt.Errorf("model repository %s: no model; it needs <name>/<version>/model.onnx", dir)
	}
	return f, ctx.Err()
}

// Model returns the model of a name. Where newer files are refused, it is the one
// before them.
func (f *Folder) Model(_ context.Context, name string) (Model, error) {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	e, ok := f.models[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("model %q: %w among %s", name, ErrNotFound, strings.Join(slices.Sorted(maps.Keys(f.models)), ", "))
	case e.model == nil:
		return nil, &RefusedError{Name: name, Reason: e.refused}
	}
	return e.model, nil
}

// Has tells whether there is a model of a name.
func (f *Folder) Has(name string) bool {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	_, ok := f.models[name]
	return ok
}

// List tells of every model of the folder.
func (f *Folder) List(context.Context) ([]Listing, error) {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	var all []Listing
	for _, name := range slices.Sorted(maps.Keys(f.models)) {
		e := f.models[name]
		all = append(all, Listing{Name: name, Versions: e.versions, Reason: e.refused})
	}
	return all, nil
}

// patience is how long a model may take to be prepared: one that runs without an
// end must not keep the others waiting.
const patience = 2 * time.Minute

var errSlow = fmt.Errorf("it was not done with one input in %v", patience)

// load loads what was found of a model.
func (f *Folder) load(ctx context.Context, name string, found found) (Model, session, error) {
	if found.err != nil {
		return nil, nil, found.err
	}
	dir := filepath.Join(f.dir, name)
	s, err := load(dir, name, found.version(), f.options)
	if err != nil {
		return nil, nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, patience, errSlow)
	defer cancel()
	m, err := f.options.Prepare(limited, s)
	if err != nil {
		err = cmp.Or(context.Cause(limited), err)
		s.end()
		return nil, nil, err
	}
	return m, s, nil
}
