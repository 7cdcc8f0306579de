package inference

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Watch looks at the folder every so often until the context ends. A model whose
// files have changed, and lie still since the look before, is loaded beside the
// one in use and then takes its place; where it is refused, that one stays. What
// is gone from the folder is gone here.
func (f *Folder) Watch(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := f.Look(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "the model repository cannot be read; its models stay", "error", err)
		}
	}
}

// Look looks at the folder once, as Watch does. It is not for concurrent use.
func (f *Folder) Look(ctx context.Context) error {
	return f.look(ctx, func(now entry) bool {
		before, ok := f.models[now.name]
		return ok && before.files == now.files
	})
}

// look takes in how the folder is now. Files that have been tried are not tried
// again, others are when they lie still.
func (f *Folder) look(ctx context.Context, still func(now entry) bool) error {
	names, err := folders(f.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		now := entry{}
		if before := f.models[name]; before != nil {
			now = *before
		}
		now.found = find(filepath.Join(f.dir, name))
		if now.files != now.tried && still(now) {
			f.try(ctx, &now)
		}
		if now.model == nil && now.refused == "" {
			now.refused = "it has come just now and is not loaded yet"
		}
		f.put(&now)
	}
	for name := range f.models {
		if !slices.Contains(names, name) {
			slog.InfoContext(ctx, "model gone", "model", name)
			f.remove(name)
		}
	}
	return nil
}

// try loads the files of an entry, whose model is replaced or stays.
func (f *Folder) try(ctx context.Context, e *entry) {
	model, session, err := f.load(ctx, e.name, e.found)
	if ctx.Err() != nil {
		return // what came of it says nothing of the files
	}
	e.tried, e.refused = e.files, ""
	if err != nil {
		e.refused = strings.ReplaceAll(err.Error(), f.dir+string(filepath.Separator), "")
		slog.ErrorContext(ctx, "model refused", "model", e.name, "version", e.version(), "reason", e.refused)
		return
	}
	e.model, e.session = model, session
	slog.InfoContext(ctx, "model loaded", "model", e.name, "version", e.version())
}

// put makes an entry the one of its name, and ends what that had in use.
func (f *Folder) put(e *entry) {
	f.mutex.Lock()
	before := f.models[e.name]
	f.models[e.name] = e
	f.mutex.Unlock()
	if before != nil && before.session != nil && before.session != e.session {
		before.session.end()
	}
}

func (f *Folder) remove(name string) {
	f.mutex.Lock()
	e := f.models[name]
	delete(f.models, name)
	f.mutex.Unlock()
	if e.session != nil {
		e.session.end()
	}
}
