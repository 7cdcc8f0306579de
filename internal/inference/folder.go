package inference

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// The supported execution providers of ONNX Runtime.
const (
	CPU  = "cpu"
	CUDA = "cuda"
)

// Options configures the in-process runtime.
type Options struct {
	// Library is the path of ONNX Runtime's shared library.
	Library string
	// Provider is CPU or CUDA; empty means CPU.
	Provider string
	// Threads is the number of threads that one run uses, at least 1.
	Threads int
	// PollInterval is the interval of Refresh; 0 means never.
	PollInterval time.Duration
	// Explicit means that only Load and Unload change which models are loaded. Open loads those in Initial, and
	// Refresh only notes which models there are.
	Explicit bool
	Initial  []string
	// Fetch brings the files of a model up to date before Load loads them. A nil Fetch means that they are.
	Fetch func(ctx context.Context, name string) error
	// Versions is the maximum number of versions in memory in addition to the one that each model has in use
	// by default. Requests load them.
	Versions int
	// Accept decides whether a loaded model can be used; the text of its error is
	// the reason of the refusal. It may run the model, and has two minutes. A nil
	// Accept accepts all models.
	Accept func(context.Context, Model) error
}

// Folder is a repository of the models in a folder. They run in the process.
type Folder struct {
	dir     string
	options Options

	open      context.Context // ends with Close
	stop      context.CancelFunc
	polling   sync.WaitGroup
	releasing sync.WaitGroup // replaced models, until their last run ends

	changing chan struct{} // has an element while models change, which is one change at a time
	loads    singleflight.Group

	mutex  sync.RWMutex
	models map[string]*folderModel // by name

	further map[versionKey]*requestedVersion
}

// folderModel is the state of one model's folder.
type folderModel struct {
	modelFiles
	// tried is the fingerprint of the files that were last loaded or refused.
	tried string
	// refusal says why these files are not in use; empty if they are.
	refusal string
	// session is the model in use; nil before the first one is loaded.
	session session
}

// session is a loaded model.
type session interface {
	Model
	// stop makes later runs fail with ErrChanged.
	stop()
	// free waits for the last run and frees the model's memory.
	free()
}

// Open loads the highest available version of every model in a folder. It refuses a model
// that cannot be loaded and continues with the others. It skips lost+found and
// names that begin with a dot, which volumes contain. The context only bounds Open.
func Open(ctx context.Context, dir string, o Options) (*Folder, error) {
	if o.Accept == nil {
		o.Accept = func(context.Context, Model) error { return nil }
	}
	if err := startRuntime(o); err != nil {
		return nil, err
	}
	f := &Folder{
		dir: dir, options: o, changing: make(chan struct{}, 1),
		models: map[string]*folderModel{}, further: map[versionKey]*requestedVersion{},
	}
	isInitial := func(m folderModel) bool { return !o.Explicit || slices.Contains(o.Initial, m.name) }
	if err := f.refresh(ctx, isInitial); err != nil {
		return nil, fmt.Errorf("model repository: %w", err)
	}
	if len(f.models) == 0 {
		return nil, fmt.Errorf("model repository %s: no model; it needs <name>/<version>/model.onnx", dir)
	}
	f.open, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	if ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), f.Close())
	}
	if o.PollInterval > 0 {
		f.polling.Go(func() { f.poll(f.open) })
	}
	return f, nil
}

// Close stops polling, waits for the last run of each model and frees the models.
func (f *Folder) Close() error {
	f.stop()
	f.polling.Wait()
	f.changing <- struct{}{} // waits for the last change
	defer func() { <-f.changing }()
	f.mutex.Lock()
	for _, m := range f.models {
		f.release(m.session)
	}
	for _, v := range f.further {
		f.release(v.session)
	}
	clear(f.models)
	clear(f.further)
	f.mutex.Unlock()
	f.releasing.Wait()
	return nil
}

// release frees a session, which may be nil, after its last run. It does not wait.
func (f *Folder) release(s session) {
	if s != nil {
		s.stop()
		f.releasing.Go(s.free)
	}
}

// Model returns the model of this name. If newer files were refused, that is the
// model loaded before them. It loads another available version at the first request for it.
func (f *Folder) Model(ctx context.Context, name, version string) (Model, error) {
	m, err := f.find(name)
	switch {
	case err != nil:
		return nil, err
	case version != "":
		return f.requested(ctx, m, version)
	case m.session == nil:
		return nil, &RefusedError{Name: name, Reason: m.refusal, Temporary: m.tried == "" && !f.options.Explicit}
	}
	return m.session, nil
}

// find returns the state of a model, which does not change.
func (f *Folder) find(name string) (*folderModel, error) {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	if m, ok := f.models[name]; ok {
		return m, nil
	}
	return nil, f.notFound(name)
}

// notFound is the error about a model that does not exist. The caller holds the mutex.
func (f *Folder) notFound(name string) error {
	names := strings.Join(slices.Sorted(maps.Keys(f.models)), ", ")
	return fmt.Errorf("model %.64q: %w; the repository has %.400s", name, ErrNotFound, names)
}

// Has reports whether the folder has a model of this name.
func (f *Folder) Has(name string) bool {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	_, ok := f.models[name]
	return ok
}

// List returns all models of the folder.
func (f *Folder) List(context.Context) ([]Listing, error) {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	var all []Listing
	for _, name := range slices.Sorted(maps.Keys(f.models)) {
		m := f.models[name]
		all = append(all, Listing{Name: name, Versions: m.versions, Available: m.available, Reason: m.refusal})
	}
	return all, nil
}

// acceptTimeout bounds Accept, so that a model that never returns does not block
// the others.
const acceptTimeout = 2 * time.Minute

var errAcceptTimeout = fmt.Errorf("its first run took longer than %v", acceptTimeout)

// load loads a version of a model.
func (f *Folder) load(ctx context.Context, name, version string) (session, error) {
	s, err := load(filepath.Join(f.dir, name), name, version, f.options)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, acceptTimeout, errAcceptTimeout)
	defer cancel()
	if err := f.options.Accept(limited, s); err != nil {
		f.release(s)
		return nil, cmp.Or(context.Cause(limited), err)
	}
	return s, nil
}
