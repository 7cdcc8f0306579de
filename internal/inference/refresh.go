package inference

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// poll calls Refresh at an interval until the context ends.
func (f *Folder) poll(ctx context.Context) {
	ticker := time.NewTicker(f.options.PollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := f.Refresh(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "model repository not readable: keeping the loaded models", "error", err)
		}
	}
}

// Refresh brings the models up to date with the folder. It loads files that have
// changed, but only if they are the same as at the previous Refresh, because a
// copy may still be in progress. A loaded model replaces the one in use; if it is
// refused, the one in use stays. A model whose folder is gone is removed.
// The models stay in use meanwhile. With Explicit, it only notes the models that are not loaded.
func (f *Folder) Refresh(ctx context.Context) error {
	return f.change(ctx, func() error {
		return f.refresh(ctx, func(now folderModel) bool {
			before, ok := f.models[now.name]
			return !f.options.Explicit && ok && before.fingerprint == now.fingerprint
		})
	})
}

// refresh is Refresh; stable reports whether changed files can be loaded now.
func (f *Folder) refresh(ctx context.Context, stable func(now folderModel) bool) error {
	names, err := models(f.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		now := folderModel{}
		if before := f.models[name]; before != nil {
			now = *before
		}
		if f.keeps(&now) {
			continue
		}
		now.modelFiles = scan(filepath.Join(f.dir, name))
		if now.fingerprint != now.tried && stable(now) {
			f.try(ctx, &now)
		}
		if now.session == nil && now.refusal == "" {
			now.refusal = f.notLoaded()
		}
		f.put(&now)
	}
	for name, m := range f.models {
		if !slices.Contains(names, name) && !f.keeps(m) {
			slog.InfoContext(ctx, "model removed", "model", name)
			f.remove(name)
		}
	}
	if !f.options.Explicit {
		f.dropChanged()
	}
	return nil
}

// keeps reports whether only Unload and Load may change a model, because it is loaded.
func (f *Folder) keeps(m *folderModel) bool { return f.options.Explicit && m.session != nil }

// notLoaded is the reason why a model that nothing is wrong with is not in use.
func (f *Folder) notLoaded() string {
	if f.options.Explicit {
		return "it is not loaded, and with MODEL_CONTROL=explicit only a load request loads it"
	}
	return "it is new and not loaded yet"
}

// try loads the files of m, or notes why they are refused.
func (f *Folder) try(ctx context.Context, m *folderModel) {
	session, err := session(nil), m.err
	if err == nil {
		session, err = f.load(ctx, m.name, m.version())
	}
	if ctx.Err() != nil {
		f.release(session)
		return // the error may come from ctx, not from the files
	}
	m.tried, m.refusal = m.fingerprint, ""
	if err != nil {
		m.refusal = f.reason(err)
		slog.ErrorContext(ctx, "model refused", "model", m.name, "version", m.version(), "reason", m.refusal)
		return
	}
	m.session = session
	slog.InfoContext(ctx, "model loaded", "model", m.name, "version", m.version())
}

// reason returns the text of an error without the path of the repository.
func (f *Folder) reason(err error) string {
	return strings.ReplaceAll(err.Error(), f.dir+string(filepath.Separator), "")
}

// put stores m under its name, and releases the session that m replaces.
func (f *Folder) put(m *folderModel) {
	f.mutex.Lock()
	before := f.models[m.name]
	f.models[m.name] = m
	f.mutex.Unlock()
	if before != nil && before.session != m.session {
		f.release(before.session)
	}
}

func (f *Folder) remove(name string) {
	f.mutex.Lock()
	m := f.models[name]
	delete(f.models, name)
	f.mutex.Unlock()
	f.release(m.session)
}
