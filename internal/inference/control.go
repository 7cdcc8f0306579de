package inference

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
)

// errClosed is the error of changes after Close.
var errClosed = errors.New("the model repository is closed")

// change calls do while nothing else changes models. It returns an error if ctx ends before, or the folder is
// closed.
func (f *Folder) change(ctx context.Context, do func() error) error {
	select {
	case f.changing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-f.open.Done():
		return errClosed
	}
	defer func() { <-f.changing }()
	if f.open.Err() != nil {
		return errClosed
	}
	return do()
}

// Load loads the files of a model as they are now, unless they are in use. The model that is in use stays until then,
// and also if the files are refused, which is a RefusedError. Concurrent calls for a model are one load, which
// continues if a context ends. The error may also be an ErrNotFound or one of Fetch. Load and Unload are for Explicit.
func (f *Folder) Load(ctx context.Context, name string) error {
	result := f.loads.DoChan(name, func() (any, error) {
		return nil, f.change(f.open, func() error { return f.loadNamed(f.open, name) })
	})
	select {
	case r := <-result:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// loadNamed is Load without its concurrency.
func (f *Folder) loadNamed(ctx context.Context, name string) error {
	if f.options.Fetch != nil {
		if err := f.options.Fetch(ctx, name); err != nil {
			return err
		}
	}
	now, err := f.scanNamed(name)
	if err != nil {
		return err
	}
	if now.session != nil && now.refusal == "" && now.fingerprint == now.tried {
		return nil
	}
	f.try(ctx, now)
	if ctx.Err() != nil {
		return errClosed
	}
	f.put(now)
	if now.refusal != "" {
		return &RefusedError{Name: name, Reason: now.refusal}
	}
	f.dropVersions(name)
	return nil
}

// scanNamed returns the state of a model with the files that are there now.
func (f *Folder) scanNamed(name string) (*folderModel, error) {
	names, err := models(f.dir)
	if err != nil {
		return nil, err
	}
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	now := &folderModel{}
	if before := f.models[name]; before != nil {
		*now = *before
	}
	if !slices.Contains(names, name) {
		return nil, f.notFound(name)
	}
	now.modelFiles = scan(filepath.Join(f.dir, name))
	return now, nil
}

// Unload makes later requests for a model fail with a RefusedError, and frees its memory after the last run, for
// which it does not wait. A model that is not loaded stays so. The error is ErrNotFound, or that of ctx while a
// load is in progress.
func (f *Folder) Unload(ctx context.Context, name string) error {
	return f.change(ctx, func() error {
		m, err := f.find(name)
		if err != nil {
			return err
		}
		unloaded := &folderModel{modelFiles: m.modelFiles, refusal: f.notLoaded()}
		f.put(unloaded)
		f.dropVersions(name)
		slog.InfoContext(ctx, "model unloaded", "model", name)
		return nil
	})
}

// dropVersions drops the requested versions of a model.
func (f *Folder) dropVersions(name string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for key := range f.further {
		if key.name == name {
			f.drop(key)
		}
	}
}
